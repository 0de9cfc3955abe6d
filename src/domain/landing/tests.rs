use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const FOREIGN: &str = "ffffffffffffffffffffffffffffffffffffffff";
const MERGED: &str = "cccccccccccccccccccccccccccccccccccccccc";

fn start() -> DateTime<Utc> {
    "2026-02-09T12:00:00Z".parse().unwrap()
}

fn soon() -> DateTime<Utc> {
    start() + TimeDelta::minutes(1)
}

fn late() -> DateTime<Utc> {
    start() + TimeDelta::minutes(31)
}

fn landing() -> Landing {
    Landing {
        commit: B.to_owned(),
        branch: "orchestrator/t".to_owned(),
        base: "main".to_owned(),
        since: start(),
        ours: vec![A.to_owned(), B.to_owned()],
        pull: Some(7),
        handed: BTreeSet::new(),
        issue: Some(3),
    }
}

fn rules() -> Rules {
    Rules {
        merges: Merges::Orchestrator,
        checks: Expect::Named(vec!["ci".to_owned()]),
        approvals: 0,
        close_issue: true,
        delete_branch: true,
        patience: Duration::from_mins(30),
    }
}

fn pull() -> Pull {
    Pull {
        number: 7,
        url: "u".to_owned(),
        state: PullState::Open,
        draft: false,
        head: B.to_owned(),
        base: "main".to_owned(),
        mergeability: Mergeability::Clean,
    }
}

fn check(state: CheckState) -> Check {
    Check {
        name: "ci".to_owned(),
        state,
        word: "w".to_owned(),
        url: None,
        summary: String::new(),
    }
}

fn review(id: u64, author: &str, stand: Stand, commit: &str) -> Review {
    Review {
        id,
        author: author.to_owned(),
        trusted: author != "stranger",
        stand,
        commit: Some(commit.to_owned()),
        at: None,
        body: "words".to_owned(),
        notes: Vec::new(),
    }
}

/// All green, nothing merged.
fn green() -> Seen {
    Seen {
        branch_head: Some(B.to_owned()),
        pull: Some(pull()),
        checks: Checks {
            found: vec![check(CheckState::Green)],
            required: Vec::new(),
        },
        reviews: Vec::new(),
        issue_open: Some(true),
    }
}

fn merged() -> Seen {
    let state = PullState::Merged {
        commit: Some(MERGED.to_owned()),
    };
    Seen {
        pull: Some(Pull { state, ..pull() }),
        ..green()
    }
}

/// A step in a few words.
fn told(step: &Step) -> String {
    match step {
        Step::Push { expect, .. } => {
            format!("push over {}", expect.as_deref().map_or("nothing", |e| &e[..1]))
        }
        Step::Open => "open".to_owned(),
        Step::Wait { why, until } => {
            let end = if until.is_some() { "until" } else { "for a person" };
            format!("wait {end}: {why}")
        }
        Step::Rework { why, checks, reviews } => format!(
            "rework: {why} [{} checks, reviews {:?}]",
            checks.len(),
            reviews.iter().map(|r| r.id).collect::<Vec<_>>()
        ),
        Step::Refresh { why } => format!("refresh: {why}"),
        Step::Merge { .. } => "merge".to_owned(),
        Step::CloseIssue { issue } => format!("close {issue}"),
        Step::DeleteBranch { .. } => "delete branch".to_owned(),
        Step::Done { merged, .. } => format!("done {}", merged.as_deref().map_or("?", |m| &m[..1])),
        Step::Ask { reason } => format!("ask: {reason}"),
    }
}

type Change = fn(&mut Landing, &mut Seen, &mut Rules);

fn table(rows: &[(&str, DateTime<Utc>, Change, &str)]) {
    for (row, now, change, wanted) in rows {
        let (mut landing, mut seen, mut rules) = (landing(), green(), rules());
        change(&mut landing, &mut seen, &mut rules);
        let step = told(&next(&landing, &seen, &rules, *now));
        assert!(step.starts_with(wanted), "{row}: {step}");
    }
}

#[test]
fn before_the_pull_request() {
    table(&[
        (
            "no branch",
            soon(),
            |_, s, _| (s.branch_head, s.pull) = (None, None),
            "push over nothing",
        ),
        (
            "an earlier commit of ours",
            soon(),
            |_, s, _| s.branch_head = Some(A.to_owned()),
            "push over a",
        ),
        (
            "somebody else's commit",
            soon(),
            |_, s, _| s.branch_head = Some(FOREIGN.to_owned()),
            "ask: somebody else moved the branch orchestrator/t to ffffffffff;",
        ),
        ("pushed, not opened", soon(), |_, s, _| s.pull = None, "open"),
        (
            "opened, the branch is gone",
            soon(),
            |_, s, _| s.branch_head = None,
            "push over nothing",
        ),
    ]);
}

#[test]
fn the_pull_request_itself() {
    table(&[
        ("all is green", soon(), |_, _, _| (), "merge"),
        ("all is green, late", late(), |_, _, _| (), "merge"),
        (
            "another base",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().base = "old".to_owned(),
            "ask: pull request 7 (u) goes into old, not into main",
        ),
        (
            "closed",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().state = PullState::Closed,
            "ask: pull request 7 (u) was closed without",
        ),
        (
            "a draft",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().draft = true,
            "wait for a person: a person to mark",
        ),
        (
            "the forge lags",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().head = A.to_owned(),
            "wait until: the forge to show bbbbbbbbbb",
        ),
        (
            "the forge lags for ever",
            late(),
            |_, s, _| s.pull.as_mut().unwrap().head = A.to_owned(),
            "ask: waited in vain for the forge to show",
        ),
        (
            "conflicts",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().mergeability = Mergeability::Conflict,
            "refresh: it conflicts with main",
        ),
        (
            "behind",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().mergeability = Mergeability::Behind,
            "refresh: main has moved on",
        ),
        (
            "not reckoned yet",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().mergeability = Mergeability::Unknown,
            "wait until: the forge to say whether",
        ),
        (
            "never reckoned",
            late(),
            |_, s, _| s.pull.as_mut().unwrap().mergeability = Mergeability::Unknown,
            "ask: waited in vain",
        ),
        (
            "rules of the forge's own",
            soon(),
            |_, s, _| s.pull.as_mut().unwrap().mergeability = Mergeability::Blocked,
            "wait for a person: the forge's own rules for main",
        ),
        (
            "a person merges",
            soon(),
            |_, _, r| r.merges = Merges::Person,
            "wait for a person: a person to merge",
        ),
    ]);
}

#[test]
fn checks_at_the_commit() {
    table(&[
        (
            "missing",
            soon(),
            |_, s, _| s.checks.found.clear(),
            "wait until: ci to appear at bbbbbbbbbb",
        ),
        (
            "never appears",
            late(),
            |_, s, _| s.checks.found.clear(),
            "ask: checks never appeared: ci (at bbbbbbbbbb)",
        ),
        (
            "none at all, none named",
            late(),
            |_, s, r| (s.checks.found, r.checks) = (vec![], Expect::Any),
            "ask: checks never appeared: any check",
        ),
        (
            "none at all, none wanted",
            soon(),
            |_, s, r| (s.checks.found, r.checks) = (vec![], Expect::Nothing),
            "merge",
        ),
        (
            "running",
            soon(),
            |_, s, _| s.checks.found = vec![check(CheckState::Running)],
            "wait until: checks at bbbbbbbbbb: ci (w)",
        ),
        (
            "never ends",
            late(),
            |_, s, _| s.checks.found = vec![check(CheckState::Running)],
            "ask: checks did not end in time: ci (w)",
        ),
        (
            "red",
            soon(),
            |_, s, _| s.checks.found = vec![check(CheckState::Red)],
            "rework: checks failed at bbbbbbbbbb: ci (w) [1 checks, reviews []]",
        ),
        (
            "red and running",
            soon(),
            |_, s, _| s.checks.found = vec![check(CheckState::Red), check(CheckState::Running)],
            "wait until: checks at",
        ),
        (
            "red and running, late",
            late(),
            |_, s, _| s.checks.found = vec![check(CheckState::Red), check(CheckState::Running)],
            "rework: checks failed",
        ),
        (
            "no verdict",
            soon(),
            |_, s, _| s.checks.found = vec![check(CheckState::Void)],
            "ask: checks at bbbbbbbbbb ended without a verdict: ci (w)",
        ),
        (
            "the forge requires more",
            soon(),
            |_, s, _| s.checks.required = vec![Required::exactly("lint")],
            "wait until: lint to appear",
        ),
    ]);
}

#[test]
fn words_of_reviewers() {
    let objection: Change = |_, s, _| s.reviews = vec![review(9, "ann", Stand::Objects, B)];
    table(&[
        (
            "an objection",
            soon(),
            objection,
            "rework: ann asks for changes [0 checks, reviews [9]]",
        ),
        (
            "to an earlier commit, unheard",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "ann", Stand::Objects, A)],
            "rework: ann asks",
        ),
        (
            "heard, not taken back",
            soon(),
            |l, s, _| {
                s.reviews = vec![review(9, "ann", Stand::Objects, A)];
                l.handed.insert(9);
            },
            "wait for a person: ann to look again",
        ),
        (
            "heard, and approved since",
            soon(),
            |l, s, _| {
                s.reviews = vec![
                    review(9, "ann", Stand::Objects, A),
                    review(10, "ann", Stand::Approves, B),
                ];
                l.handed.insert(9);
            },
            "merge",
        ),
        (
            "remarks alone",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "ann", Stand::Remarks, B)],
            "merge",
        ),
        (
            "a stranger's objection",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "stranger", Stand::Objects, B)],
            "merge",
        ),
        (
            "remarks go along with an objection, a stranger's do not",
            soon(),
            |_, s, _| {
                s.reviews = vec![
                    review(8, "bob", Stand::Remarks, B),
                    review(9, "ann", Stand::Objects, B),
                    review(10, "stranger", Stand::Remarks, B),
                ];
            },
            "rework: ann asks for changes [0 checks, reviews [9, 8]]",
        ),
        (
            "unapproved",
            soon(),
            |_, _, r| r.approvals = 1,
            "wait for a person: approval of bbbbbbbbbb by people (0 of 1)",
        ),
        (
            "an approval of another commit",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "ann", Stand::Approves, A)];
            },
            "wait for a person: approval of bbbbbbbbbb by people (0 of 1)",
        ),
        (
            "a stranger's approval",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "stranger", Stand::Approves, B)];
            },
            "wait for a person: approval",
        ),
        (
            "one's approval twice",
            soon(),
            |_, s, r| {
                r.approvals = 2;
                s.reviews = vec![
                    review(9, "ann", Stand::Approves, B),
                    review(10, "ann", Stand::Approves, B),
                ];
            },
            "wait for a person: approval of bbbbbbbbbb by people (1 of 2)",
        ),
        (
            "approved",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "ann", Stand::Approves, B)];
            },
            "merge",
        ),
    ]);
}

#[test]
fn after_the_merge() {
    table(&[
        ("the issue first", soon(), |_, s, _| *s = merged(), "close 3"),
        (
            "no issue is closed by us",
            soon(),
            |_, s, r| (*s, r.close_issue) = (merged(), false),
            "delete branch",
        ),
        (
            "the issue is closed",
            soon(),
            |_, s, _| {
                *s = merged();
                s.issue_open = Some(false);
            },
            "delete branch",
        ),
        (
            "somebody moved the branch on",
            soon(),
            |_, s, _| {
                *s = merged();
                s.issue_open = None;
                s.branch_head = Some(FOREIGN.to_owned());
            },
            "done c",
        ),
        (
            "the branch stays",
            soon(),
            |_, s, r| {
                *s = merged();
                s.issue_open = None;
                r.delete_branch = false;
            },
            "done c",
        ),
        (
            "the branch is gone",
            soon(),
            |_, s, _| {
                *s = merged();
                s.issue_open = None;
                s.branch_head = None;
            },
            "done c",
        ),
        (
            "another commit was merged",
            soon(),
            |_, s, _| {
                *s = merged();
                s.pull.as_mut().unwrap().head = FOREIGN.to_owned();
            },
            "ask: pull request 7 (u) was merged at ffffffffff, which is not",
        ),
    ]);
}

#[test]
fn a_new_commit_starts_its_own_time_and_keeps_the_memory() {
    let mut before = landing();
    before.handed.insert(9);
    let same = before.clone().with_commit(B.to_owned(), late());
    assert_eq!(same, before);
    let after = before.with_commit(MERGED.to_owned(), late());
    assert_eq!((after.since, after.pull, after.ours.len()), (late(), Some(7), 3));
    assert!(after.handed.contains(&9));
}

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
