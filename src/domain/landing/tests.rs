use chrono::TimeDelta;

use super::*;

mod walk;
mod words;

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
        waits: None,
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
#[expect(clippy::too_many_lines, reason = "one table")]
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
#[expect(clippy::too_many_lines, reason = "one table")]
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
