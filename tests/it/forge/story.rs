//! One landing from nothing to done, on both dialects: looks of the client, decisions of the domain, acts of the client.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use orchestrator::domain::landing::{Expect, Landing, Merges, Rules, Step, next};
use orchestrator::forge::{ForgeError, Kind, NewPull, Remedy, Squash, adopt_or_open, look};
use rstest::rstest;

use super::stage::{A, B, BRANCH, FOREIGN, Fault, ReviewRow, SQUASHED, Stage, noon};

fn landing() -> Landing {
    Landing {
        commit: A.to_owned(),
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        since: noon(),
        ours: vec![A.to_owned()],
        pull: None,
        handed: BTreeSet::new(),
        issue: Some(3),
        waits: None,
    }
}

fn rules() -> Rules {
    Rules {
        merges: Merges::Orchestrator,
        checks: Expect::Any,
        approvals: 0,
        close_issue: true,
        delete_branch: true,
        patience: Duration::from_mins(30),
    }
}

/// One look and one decision.
async fn step(stage: &Stage, landing: &Landing) -> Step {
    let seen = look(&*stage.forge, landing, &rules()).await.unwrap();
    next(landing, &seen, &rules(), stage.clock.now())
}

/// Does what was decided; a push is git's, so the world does it.
async fn act(stage: &Stage, step: &Step) -> Result<(), ForgeError> {
    match step {
        Step::Push { commit, expect } => {
            let mut world = stage.world();
            assert_eq!(world.heads.get(BRANCH), expect.as_ref());
            world.heads.insert(BRANCH.to_owned(), commit.clone());
            let open = world
                .pulls
                .iter_mut()
                .filter(|p| p.branch == BRANCH && p.state == "open");
            open.for_each(|p| p.head.clone_from(commit));
            Ok(())
        }
        Step::Open => adopt_or_open(&*stage.forge, &new_pull()).await.map(drop),
        Step::Merge { pull, commit } => stage.forge.merge(*pull, &squash(commit)).await,
        Step::CloseIssue { issue } => stage.forge.close_issue(*issue).await,
        Step::DeleteBranch { branch } => stage.forge.delete_branch(branch).await,
        other => panic!("no act: {other:?}"),
    }
}

fn new_pull() -> NewPull {
    NewPull {
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        commit: A.to_owned(),
        title: "Fix it".to_owned(),
        body: "As asked.".to_owned(),
    }
}

fn squash(commit: &str) -> Squash {
    Squash {
        commit: commit.to_owned(),
        title: "Fix it".to_owned(),
        message: String::new(),
    }
}

fn review(id: u64, state: &'static str, commit: &'static str) -> ReviewRow {
    ReviewRow {
        id,
        author: "ann",
        state,
        commit,
        trusted: true,
        dismissed: false,
        notes: vec![("src/a.rs", 7, "off by one")],
    }
}

/// The words of a step.
fn why(step: &Step) -> String {
    match step {
        Step::Wait { why, .. } | Step::Rework { why, .. } | Step::Refresh { why } => why.clone(),
        Step::Ask { reason } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[tokio::test]
async fn from_nothing_to_done(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().issues.insert(3, (true, Vec::new()));
    let mut landing = landing();
    for wanted in ["Push", "Open"] {
        let step = step(&stage, &landing).await;
        assert!(format!("{step:?}").starts_with(wanted), "{step:?}");
        act(&stage, &step).await.unwrap();
    }
    landing.pull = Some(100);

    assert_eq!(
        why(&step(&stage, &landing).await),
        "any check to appear at aaaaaaaaaa"
    );
    stage.check(A, "ci", "pending");
    assert!(why(&step(&stage, &landing).await).starts_with("checks at aaaaaaaaaa: ci"));
    stage.check(A, "ci", "failure");
    let Step::Rework {
        why: told, checks, ..
    } = step(&stage, &landing).await
    else {
        panic!()
    };
    assert_eq!(
        (told.as_str(), checks.len()),
        ("checks failed at aaaaaaaaaa: ci (failure)", 1)
    );

    // The worker's next commit passed the gate; checks of the old one count no more.
    landing = landing.with_commit(B.to_owned(), stage.clock.now());
    let push = step(&stage, &landing).await;
    let from = Some(A.to_owned());
    assert_eq!(
        push,
        Step::Push {
            commit: B.to_owned(),
            expect: from
        }
    );
    act(&stage, &push).await.unwrap();
    assert_eq!(
        why(&step(&stage, &landing).await),
        "any check to appear at bbbbbbbbbb"
    );
    stage.check(B, "ci", "success");

    stage.world().reviews.push(review(9, stage.objects(), B));
    let Step::Rework {
        why: told, reviews, ..
    } = step(&stage, &landing).await
    else {
        panic!()
    };
    assert_eq!(told, "ann asks for changes");
    assert_eq!(
        (reviews[0].notes[0].line, reviews[0].notes[0].body.as_str()),
        (Some(7), "off by one")
    );
    landing.handed.insert(9);
    assert_eq!(why(&step(&stage, &landing).await), "ann to look again");
    stage.world().reviews.push(review(10, "APPROVED", B));

    for wanted in ["Merge", "CloseIssue", "DeleteBranch"] {
        let step = step(&stage, &landing).await;
        assert!(format!("{step:?}").starts_with(wanted), "{step:?}");
        act(&stage, &step).await.unwrap();
    }
    let merged = Some(SQUASHED.to_owned());
    assert_eq!(step(&stage, &landing).await, Step::Done { pull: 100, merged });
    assert_eq!(stage.acts().len(), 4, "{:?}", stage.acts());
}

/// The deed is done, its answer never arrives: the next look finds it and goes on.
#[rstest]
#[tokio::test]
async fn answers_that_get_lost_repeat_nothing(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().issues.insert(3, (true, Vec::new()));
    stage.check(A, "ci", "success");
    for (method, path) in [
        (Method::POST, "/pulls"),
        (
            if kind == Kind::GitHub {
                Method::PUT
            } else {
                Method::POST
            },
            "/merge",
        ),
        (Method::PATCH, "/issues/3"),
        (Method::DELETE, "fix-it"),
    ] {
        stage
            .world()
            .faults
            .push(Fault::new(method, path, 502).after_the_deed());
    }
    let mut troubles = 0;
    let mut done = false;
    for _ in 0..12 {
        // No number is remembered: even the pull request must be found again.
        let step = step(&stage, &landing()).await;
        if matches!(step, Step::Done { .. }) {
            done = true;
            break;
        }
        if let Err(error) = act(&stage, &step).await {
            assert_eq!(error.remedy(), Remedy::TryAgain, "{error}");
            troubles += 1;
        }
    }
    assert!(done);
    assert_eq!((troubles, stage.acts().len()), (4, 4), "{:?}", stage.acts());
    assert_eq!(stage.world().pulls.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_check_that_never_appears_goes_to_a_person(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().heads.insert(BRANCH.to_owned(), A.to_owned());
    stage.pull(100, BRANCH, A, "open");
    stage.world().required = vec!["ci/build", "ci/test"];
    stage.check(A, "ci/build", "success");
    let waiting = step(&stage, &landing()).await;
    let until = Some(noon() + Duration::from_mins(30));
    assert_eq!(
        waiting,
        Step::Wait {
            why: "ci/test to appear at aaaaaaaaaa".to_owned(),
            until
        }
    );
    stage.time.advance(Duration::from_mins(30));
    assert!(
        why(&step(&stage, &landing()).await).starts_with("checks never appeared: ci/test (at aaaaaaaaaa)")
    );
    stage.check(A, "ci/test", "success");
    assert!(matches!(step(&stage, &landing()).await, Step::Merge { .. }));
}

#[rstest]
#[tokio::test]
async fn a_moved_head_is_never_merged(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().heads.insert(BRANCH.to_owned(), A.to_owned());
    stage.pull(100, BRANCH, A, "open");
    stage.check(A, "ci", "success");
    let merge = step(&stage, &landing()).await;
    // Between the look and the act somebody pushes.
    stage.world().heads.insert(BRANCH.to_owned(), FOREIGN.to_owned());
    stage.world().pulls[0].head = FOREIGN.to_owned();
    let error = act(&stage, &merge).await.unwrap_err();
    assert_eq!(
        error,
        ForgeError::HeadMoved {
            expected: A.to_owned()
        }
    );
    assert_eq!(error.remedy(), Remedy::LookAgain);
    assert_eq!(stage.world().pulls[0].state, "open");
    assert!(why(&step(&stage, &landing()).await).starts_with("somebody else moved the branch"));
}

#[rstest]
#[tokio::test]
async fn one_that_somebody_opened_is_adopted_and_a_merged_one_stays_closed(
    #[values(Kind::GitHub, Kind::Gitea)] kind: Kind,
) {
    let stage = Stage::set(kind).await;
    stage.world().heads.insert(BRANCH.to_owned(), A.to_owned());
    stage.pull(40, BRANCH, FOREIGN, "merged");
    stage.pull(41, BRANCH, FOREIGN, "closed");
    // An earlier round's is not this work's.
    assert_eq!(step(&stage, &landing()).await, Step::Open);
    stage.pull(42, BRANCH, A, "open");
    assert_eq!(
        adopt_or_open(&*stage.forge, &new_pull()).await.unwrap().number,
        42
    );
    assert!(stage.acts().is_empty());
    // One that was merged at this very commit is.
    stage.world().pulls[2].state = "merged";
    stage.world().heads.remove(BRANCH);
    stage.world().issues.insert(3, (false, Vec::new()));
    let merged = Some(SQUASHED.to_owned());
    assert_eq!(step(&stage, &landing()).await, Step::Done { pull: 42, merged });
}
