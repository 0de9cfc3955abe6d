//! Lists are read to their end, and of what is in them only what counts.

use axum::http::Method;
use orchestrator::domain::landing::{CheckState, PullState, Required, Stand};
use orchestrator::forge::{Kind, NewPull, adopt_or_open};
use rstest::rstest;

use super::stage::{A, B, BRANCH, Fault, ReviewRow, Stage, TOKEN};

#[rstest]
#[tokio::test]
async fn a_red_check_on_the_last_page_is_seen(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    for n in 0..6 {
        stage.check(A, &format!("ci/{n}"), "success");
    }
    stage.check(A, "ci/last", "failure");
    stage.check(B, "ci/other", "failure");
    let checks = stage.forge.checks(A, "main").await.unwrap();
    let red = checks.found.iter().filter(|c| c.state == CheckState::Red);
    assert_eq!(red.map(|c| c.name.as_str()).collect::<Vec<_>>(), ["ci/last"]);
    assert_eq!(checks.found.len(), 7);
}

#[rstest]
#[tokio::test]
async fn a_status_that_was_set_again_counts_once(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    for word in ["pending", "failure", "success", "pending", "error"] {
        stage.world().statuses.push((A, "old/ci".to_owned(), word));
    }
    let checks = stage.forge.checks(A, "main").await.unwrap();
    let told: Vec<_> = checks.found.iter().map(|c| (c.state, c.word.as_str())).collect();
    assert_eq!(told, [(CheckState::Red, "error")]);
}

#[tokio::test]
async fn github_requires_by_protection_and_by_rules() {
    let stage = Stage::set(Kind::GitHub).await;
    stage.world().required = vec!["ci"];
    stage.world().ruled = vec!["lint", "ci", "docs"];
    let required = stage.forge.checks(A, "main").await.unwrap().required;
    assert_eq!(required, ["ci", "docs", "lint"].map(Required::exactly));
    // A plan without rules says so; a limit is a limit.
    stage
        .world()
        .faults
        .push(Fault::new(Method::GET, "rules", 403).saying("Upgrade to GitHub Pro"));
    assert_eq!(
        stage.forge.checks(A, "main").await.unwrap().required,
        [Required::exactly("ci")]
    );
    stage
        .world()
        .faults
        .push(Fault::new(Method::GET, "rules", 403).header("retry-after", "9"));
    stage.forge.checks(A, "main").await.unwrap_err();
}

#[tokio::test]
async fn gitea_requires_by_pattern() {
    let stage = Stage::set(Kind::Gitea).await;
    stage.world().required = vec!["ci/*"];
    let required = stage.forge.checks(A, "main").await.unwrap().required;
    let pattern = Required {
        name: "ci/*".to_owned(),
        pattern: true,
    };
    assert_eq!(required, [pattern]);
}

fn reviews(stage: &Stage) -> Vec<ReviewRow> {
    let row = |id, author, state, trusted| ReviewRow {
        id,
        author,
        state,
        commit: A,
        trusted,
        dismissed: false,
        notes: vec![("a.rs", id, "here"), ("b.rs", 0, "and there")],
    };
    let mut dismissed = row(4, "cy", stage.objects(), true);
    dismissed.dismissed = true;
    vec![
        row(1, "ann", stage.objects(), true),
        row(2, "bob", "APPROVED", true),
        row(3, "mallory", "APPROVED", false),
        dismissed,
        row(5, "dee", "PENDING", true),
        row(6, "eve", "APPROVED", true),
    ]
}

#[rstest]
#[tokio::test]
async fn reviews_with_their_remarks(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.pull(100, BRANCH, A, "open");
    stage.world().reviews = reviews(&stage);
    let found = stage.forge.reviews(100).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|r| (r.id, r.author.as_str(), r.stand, r.trusted))
        .collect();
    assert_eq!(
        told,
        [
            (1, "ann", Stand::Objects, true),
            (2, "bob", Stand::Approves, true),
            (3, "mallory", Stand::Approves, false),
            (4, "cy", Stand::Dismissed, true),
            (6, "eve", Stand::Approves, true),
        ]
    );
    let notes: Vec<_> = found[4].notes.iter().map(|n| (n.path.as_str(), n.line)).collect();
    assert_eq!(notes, [("a.rs", Some(6)), ("b.rs", None)]);
    assert_eq!(found[0].body, "words of ann");
}

#[rstest]
#[tokio::test]
async fn the_right_pull_request_among_many(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    for n in 1..6 {
        stage.pull(n, &format!("orchestrator/other-{n}"), B, "open");
        stage.pull(n + 10, BRANCH, B, "merged");
    }
    stage.pull(30, BRANCH, B, "open");
    stage.world().pulls.last_mut().unwrap().base = "release".to_owned();
    assert_eq!(stage.forge.find(BRANCH, "main", A).await.unwrap(), None);
    stage.pull(31, BRANCH, A, "closed");
    let found = stage.forge.find(BRANCH, "main", A).await.unwrap().unwrap();
    assert_eq!((found.number, found.state), (31, PullState::Closed));
    stage.pull(32, BRANCH, A, "open");
    let found = stage.forge.find(BRANCH, "main", A).await.unwrap().unwrap();
    assert_eq!((found.number, found.state), (32, PullState::Open));
}

/// The first look finds nothing, then somebody opens one; the forge refuses a second.
#[rstest]
#[tokio::test]
async fn who_is_late_adopts(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().heads.insert(BRANCH.to_owned(), A.to_owned());
    stage.pull(7, BRANCH, A, "open");
    let mut nothing = Fault::new(Method::GET, "/pulls", 200);
    nothing.body = "[]".to_owned();
    stage.world().faults.push(nothing);
    if kind == Kind::Gitea {
        let mut nothing = Fault::new(Method::GET, "/pulls", 200);
        nothing.body = "[]".to_owned();
        stage.world().faults.push(nothing);
    }
    let new = NewPull {
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        commit: A.to_owned(),
        title: "Fix it".to_owned(),
        body: String::new(),
    };
    assert_eq!(adopt_or_open(&*stage.forge, &new).await.unwrap().number, 7);
    assert_eq!(stage.acts().len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_comment_is_written_once(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    let chatter = (0..5).map(|n| format!("me too {n}")).collect();
    stage.world().issues.insert(3, (true, chatter));
    for key in ["fix-it:1", "fix-it:1", "fix-it:2"] {
        stage.forge.comment(3, key, "Merged.").await.unwrap();
    }
    let comments = stage.world().issues[&3].1.clone();
    assert_eq!(comments.len(), 7);
    assert!(comments[5].starts_with("Merged.\n\n<!-- "), "{}", comments[5]);
}

#[rstest]
#[tokio::test]
async fn a_branch_is_deleted_once_and_gone_is_fine(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.world().heads.insert(BRANCH.to_owned(), A.to_owned());
    for _ in 0..2 {
        stage.forge.delete_branch(BRANCH).await.unwrap();
        assert_eq!(stage.forge.branch_head(BRANCH).await.unwrap(), None);
    }
}

#[rstest]
#[tokio::test]
async fn the_token_is_in_no_address(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.forge.checks(A, "main").await.unwrap();
    stage.forge.find(BRANCH, "main", A).await.unwrap();
    let world = stage.world();
    assert!(!world.log.is_empty() && world.log.iter().all(|line| !line.contains(TOKEN)));
    assert!(!format!("{:?}", stage.forge).contains(TOKEN));
}
