//! Circles in a graph of dependencies, in linear time and without recursion.

/// One circle for each group of nodes that reach each other: the nodes in order, the first one the least.
///
/// `edges[n]` holds the nodes that `n` waits for.
pub(super) struct Cycle {
    /// The nodes of one shortest way round from the least node, in order.
    pub(super) path: Vec<usize>,
    /// All nodes that are held up by the circle because they are part of the group.
    pub(super) members: Vec<usize>,
}

/// Finds the circles.
pub(super) fn cycles(edges: &[Vec<usize>]) -> Vec<Cycle> {
    let groups = groups(edges);
    let mut group_of = vec![usize::MAX; edges.len()];
    for (n, group) in groups.iter().enumerate() {
        group.iter().for_each(|node| group_of[*node] = n);
    }
    let is_circle = |group: &Vec<usize>| group.len() > 1 || group.iter().any(|n| edges[*n].contains(n));
    let mut found: Vec<Cycle> = groups
        .into_iter()
        .filter(is_circle)
        .map(|mut members| {
            members.sort_unstable();
            let path = way_round(edges, &group_of, members[0]);
            Cycle { path, members }
        })
        .collect();
    found.sort_by_key(|cycle| cycle.members[0]);
    found
}

/// The shortest way from a node back to itself inside its group (breadth first).
fn way_round(edges: &[Vec<usize>], group_of: &[usize], start: usize) -> Vec<usize> {
    let mut came_from = std::collections::HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in edges[node].iter().filter(|n| group_of[**n] == group_of[start]) {
            if *next == start {
                return walk_back(&came_from, start, node);
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, node);
                queue.push_back(*next);
            }
        }
    }
    vec![start]
}

fn walk_back(came_from: &std::collections::HashMap<usize, usize>, start: usize, last: usize) -> Vec<usize> {
    let mut path = vec![last];
    let mut node = last;
    while node != start {
        let Some(before) = came_from.get(&node) else { break };
        path.push(*before);
        node = *before;
    }
    path.reverse();
    path
}

/// The groups of nodes that reach each other: Kosaraju's two passes, with stacks of our own.
fn groups(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut back = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        targets.iter().for_each(|to| back[*to].push(from));
    }
    let mut seen = vec![false; edges.len()];
    let mut order = Vec::with_capacity(edges.len());
    for node in 0..edges.len() {
        finish_from(node, edges, &mut seen, &mut order);
    }
    let mut taken = vec![false; edges.len()];
    let mut groups = Vec::new();
    for node in order.into_iter().rev() {
        let mut group = Vec::new();
        finish_from(node, &back, &mut taken, &mut group);
        if !group.is_empty() {
            groups.push(group);
        }
    }
    groups
}

/// Depth first from a node; adds each node when all it leads to is done.
fn finish_from(start: usize, edges: &[Vec<usize>], seen: &mut [bool], done: &mut Vec<usize>) {
    if std::mem::replace(&mut seen[start], true) {
        return;
    }
    let mut stack = vec![(start, 0)];
    while let Some((node, at)) = stack.last_mut() {
        let node = *node;
        match edges[node].get(*at) {
            Some(next) => {
                *at += 1;
                if !std::mem::replace(&mut seen[*next], true) {
                    stack.push((*next, 0));
                }
            }
            None => {
                done.push(node);
                stack.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
        cycles(edges).into_iter().map(|c| c.path).collect()
    }

    #[test]
    fn circles() {
        assert!(paths(&[]).is_empty());
        assert!(paths(&[vec![1], vec![2], vec![]]).is_empty());
        assert_eq!(paths(&[vec![0]]), [[0]]);
        assert_eq!(paths(&[vec![1], vec![2], vec![0], vec![0]]), [[0, 1, 2]]);
        assert_eq!(paths(&[vec![1], vec![0], vec![3], vec![2]]), [[0, 1], [2, 3]]);
        assert_eq!(paths(&[vec![1], vec![2, 0], vec![0]]), [[0, 1]]);
        assert_eq!(cycles(&[vec![1], vec![2, 0], vec![0]])[0].members, [0, 1, 2]);
    }

    #[test]
    fn a_long_chain_overflows_no_stack() {
        let mut edges: Vec<Vec<usize>> = (1..200_000).map(|n| vec![n]).collect();
        edges.push(vec![0]);
        assert_eq!(paths(&edges)[0].len(), 200_000);
    }
}
