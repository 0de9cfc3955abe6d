//! Landings that break off anywhere, and all that could be merged.

use proptest::prelude::*;

use super::*;

/// A forge of values, on which steps are performed; every act is counted.
struct World {
    seen: Seen,
    acts: Vec<String>,
}

impl World {
    fn act(&mut self, step: &Step) {
        let pull_of = |s: &mut Seen, state| s.pull.as_mut().unwrap().state = state;
        match step {
            Step::Push { commit, expect } if *expect == self.seen.branch_head => {
                self.seen.branch_head = Some(commit.clone());
            }
            Step::Open => self.seen.pull = Some(pull()),
            Step::Merge { commit, .. } => {
                assert_eq!(self.seen.branch_head.as_ref(), Some(commit));
                let commit = Some(MERGED.to_owned());
                pull_of(&mut self.seen, PullState::Merged { commit });
            }
            Step::CloseIssue { .. } => self.seen.issue_open = Some(false),
            Step::DeleteBranch { .. } => self.seen.branch_head = None,
            other => panic!("no act: {other:?}"),
        }
        self.acts.push(told(step));
    }
}

proptest! {
    /// Whoever goes down before or after an act, and looks again, does everything once and in order.
    #[test]
    fn nothing_is_done_twice_whatever_breaks_off(broken in proptest::collection::vec(any::<bool>(), 0..40)) {
        let mut world = World {
            seen: Seen { branch_head: None, pull: None, ..green() },
            acts: Vec::new(),
        };
        let mut broken = broken.into_iter();
        for _ in 0..60 {
            // Nothing is carried from one look to the next but what was written down at the start.
            let step = next(&landing(), &world.seen, &rules(), soon());
            if matches!(step, Step::Done { .. }) {
                break;
            }
            if !broken.next().unwrap_or(false) {
                world.act(&step);
            }
        }
        prop_assert_eq!(world.acts, ["push over nothing", "open", "merge", "close 3", "delete branch"]);
    }

    /// Whatever is seen: merged is only what passed, is green, approved and unopposed.
    #[test]
    fn only_what_passed_is_merged(
        head in 0..3usize, branch in 0..4usize, state in 0..4usize, extra in 0..5usize, stand in 0..5usize,
        trusted in any::<bool>(), at in 0..2usize, approvals in 0..2u32, draft in any::<bool>(), fit in 0..5usize,
        expect in 0..3usize, is_late in any::<bool>(),
    ) {
        let commits = [B, A, FOREIGN];
        let states = [CheckState::Green, CheckState::Running, CheckState::Red, CheckState::Void];
        let fits = [Mergeability::Clean, Mergeability::Behind, Mergeability::Conflict, Mergeability::Blocked, Mergeability::Unknown];
        let stands = [Stand::Approves, Stand::Objects, Stand::Remarks, Stand::Dismissed];
        let mut seen = green();
        seen.branch_head = commits.get(branch).map(|c| (*c).to_owned());
        seen.checks.found = vec![check(states[state])];
        if let Some(state) = states.get(extra) {
            seen.checks.found.push(check(*state));
        }
        seen.reviews = stands.get(stand).map(|s| Review { trusted, ..review(1, "ann", *s, commits[at]) }).into_iter().collect();
        seen.pull = Some(Pull { head: commits[head].to_owned(), draft, mergeability: fits[fit], ..pull() });
        let checks = [Expect::Any, Expect::Named(vec!["ci".to_owned()]), Expect::Nothing][expect].clone();
        let rules = Rules { approvals, checks, ..rules() };
        let now = if is_late { late() } else { soon() };
        if let Step::Merge { commit, .. } = next(&landing(), &seen, &rules, now) {
            let approved = trusted && stand == 0 && at == 0;
            prop_assert_eq!(commit, B);
            prop_assert!(head == 0 && branch == 0 && !draft && fit == 0);
            prop_assert!(expect == 2 || (state == 0 && matches!(extra, 0 | 4)));
            prop_assert!(approvals == 0 || approved);
            prop_assert!(!(trusted && stand == 1));
        }
    }
}
