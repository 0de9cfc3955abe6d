//! What workers leave: committed, kept aside, counted; nothing lost.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use orchestrator::workspace::Drift;

use super::world::{World, commit_all, git, id};

#[tokio::test]
async fn debris_in_the_way_is_set_aside_not_deleted() {
    let world = World::new();
    fs::create_dir_all(world.state("worktrees/t")).unwrap();
    fs::write(world.state("worktrees/t/precious"), "x").unwrap();
    let ws = world.prepare("t", "../repo").await.unwrap();
    assert!(ws.root.join("a.txt").exists());
    assert!(world.state("stray/t-1/precious").exists());
}

#[tokio::test]
async fn leftovers_are_committed_and_the_workers_own_commits_stay() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    let start = ws.head().await.unwrap();
    let nothing = ws.commit_leftovers("nothing", &start).await.unwrap();
    assert_eq!(nothing, Default::default());
    fs::write(ws.root.join("staged"), "1").unwrap();
    git(&ws.top, &["add", "staged"]);
    assert!(!ws.status_clean().await.unwrap(), "staged is not committed");
    git(&ws.top, &["rm", "-q", "-f", "staged"]);
    assert!(ws.status_clean().await.unwrap());
    fs::write(ws.root.join("own"), "1").unwrap();
    let own = commit_all(&ws.root, "the worker's own");
    fs::write(ws.root.join("a.txt"), "two\n").unwrap();
    fs::write(ws.root.join("new file é\n.txt"), "n").unwrap();
    fs::create_dir_all(ws.root.join("node_modules/x")).unwrap();
    fs::write(ws.root.join("node_modules/x/i.js"), "x").unwrap();
    world.repository("instance/.orchestrator/worktrees/t/inner");
    let left = ws.commit_leftovers("left by the worker", &start).await.unwrap();
    let commit = left.commit.unwrap();
    assert_eq!(left.skipped, ["inner/ (a repository within the workspace)"]);
    assert_eq!(git(&ws.top, &["rev-parse", &format!("{commit}^")]), own);
    assert_eq!(
        git(&ws.top, &["log", "-1", "--format=%an:%s"]),
        "orchestrator:left by the worker"
    );
    assert_eq!(
        ws.changed_files(&start).await.unwrap(),
        ["a.txt", "new file é\n.txt", "own"]
    );
    let stat = ws.diff_stat(&start).await.unwrap();
    assert_eq!((stat.files, stat.added, stat.removed), (3, 3, 1));
    assert_eq!(ws.head().await.unwrap(), commit);
    assert_eq!(git(&ws.top, &["diff", "HEAD", "--stat"]), "");
}

#[tokio::test]
async fn evidence_is_the_tree_and_not_the_commit() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    let start = ws.head().await.unwrap();
    commit_all(&ws.root, "an empty commit");
    let empty = ws.evidence(&start).await.unwrap();
    assert!(!empty.changed && empty.fingerprint.is_empty() && empty.files_changed == 0);
    fs::write(ws.root.join("a.txt"), "two\n").unwrap();
    ws.commit_leftovers("x", &start).await.unwrap();
    let one = ws.evidence(&start).await.unwrap();
    assert!(one.changed && one.fingerprint.starts_with("diff:"));
    commit_all(&ws.root, "again an empty one");
    assert_eq!(
        ws.evidence(&start).await.unwrap().fingerprint,
        one.fingerprint,
        "nothing new"
    );
    let second = ws.head().await.unwrap();
    let idle = ws.evidence(&second).await.unwrap();
    assert_eq!(
        (idle.changed, &idle.fingerprint),
        (false, &one.fingerprint),
        "an attempt that adds nothing leaves the result of the one before"
    );
    fs::write(ws.root.join("a.txt"), "three\n").unwrap();
    ws.commit_leftovers("x", &second).await.unwrap();
    assert_ne!(ws.evidence(&second).await.unwrap().fingerprint, one.fingerprint);
    fs::write(ws.root.join("a.txt"), "two\n").unwrap();
    let third = ws.head().await.unwrap();
    ws.commit_leftovers("x", &third).await.unwrap();
    let back = ws.evidence(&third).await.unwrap();
    assert!(back.changed && back.fingerprint == one.fingerprint, "to and fro");
}

#[tokio::test]
async fn work_on_another_branch_counts_where_it_builds_on_the_tasks() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    let start = ws.head().await.unwrap();
    git(&ws.top, &["checkout", "-q", "-b", "feature"]);
    fs::write(ws.root.join("b"), "b").unwrap();
    commit_all(&ws.root, "on a branch of its own");
    fs::write(ws.root.join("c"), "c").unwrap();
    let left = ws.commit_leftovers("left", &start).await.unwrap();
    assert_eq!(
        left.drift,
        Some(Drift::Adopted {
            from: "branch feature".to_owned()
        })
    );
    assert_eq!(ws.changed_files(&start).await.unwrap(), ["b", "c"]);
    assert_eq!(
        git(&ws.top, &["symbolic-ref", "HEAD"]),
        "refs/heads/orchestrator/t"
    );
    assert!(ws.status_clean().await.unwrap());
}

#[tokio::test]
async fn work_that_builds_on_something_else_is_kept_and_does_not_count() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("mine"), "m").unwrap();
    let start = commit_all(&ws.root, "on the branch");
    git(&ws.top, &["checkout", "-q", "--orphan", "elsewhere"]);
    commit_all(&ws.root, "unrelated");
    fs::write(ws.root.join("dirty"), "d").unwrap();
    let left = ws.commit_leftovers("left", &start).await.unwrap();
    let Some(Drift::Strayed { kept, .. }) = left.drift else {
        panic!("{left:?}")
    };
    assert_eq!(ws.head().await.unwrap(), start);
    assert!(!ws.root.join("dirty").exists() && ws.root.join("mine").exists());
    assert!(git(&ws.top, &["ls-tree", "--name-only", &kept]).contains("dirty"));
    assert_eq!(git(&ws.top, &["rev-parse", "refs/orchestrator/stray/t"]), kept);
    assert!(ws.status_clean().await.unwrap());
}

#[tokio::test]
async fn a_rewritten_branch_is_told() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("b"), "b").unwrap();
    let start = commit_all(&ws.root, "b");
    git(&ws.top, &["commit", "-q", "--amend", "-m", "another"]);
    let left = ws.commit_leftovers("left", &start).await.unwrap();
    assert_eq!(left.drift, Some(Drift::Rewritten));
}

#[tokio::test]
async fn what_a_killed_worker_leaves_half_way_is_survived() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    let start = ws.head().await.unwrap();
    let private = PathBuf::from(git(&ws.top, &["rev-parse", "--absolute-git-dir"]));
    git(&ws.top, &["checkout", "-q", "-b", "side"]);
    fs::write(ws.root.join("a.txt"), "side\n").unwrap();
    commit_all(&ws.root, "side");
    git(&ws.top, &["checkout", "-q", "orchestrator/t"]);
    fs::write(ws.root.join("a.txt"), "mine\n").unwrap();
    commit_all(&ws.root, "mine");
    let merge = Command::new("git")
        .args(["merge", "-q", "side"])
        .current_dir(&ws.top)
        .output()
        .unwrap();
    assert!(!merge.status.success(), "a conflict");
    fs::write(private.join("index.lock"), "").unwrap();
    let left = ws.commit_leftovers("left", &start).await.unwrap();
    assert!(left.commit.is_some() && left.drift.is_none());
    assert!(!private.join("MERGE_HEAD").exists() && !private.join("index.lock").exists());
    assert!(ws.status_clean().await.unwrap());
    assert!(
        git(&ws.top, &["show", "HEAD:a.txt"]).contains("<<<<<<<"),
        "as the worker left it"
    );
}

#[tokio::test]
async fn pruning_removes_what_no_live_task_needs_and_loses_nothing() {
    let world = World::new();
    let (live, dead) = (
        world.prepare("live", "../repo").await.unwrap(),
        world.prepare("dead", "../repo").await.unwrap(),
    );
    fs::write(dead.root.join("unsaved"), "u").unwrap();
    for name in ["gate/live-1", "gate/dead-1", "worktrees/unknown"] {
        fs::create_dir_all(world.state(name).join("tree")).unwrap();
    }
    let pruned = world.all.prune(&BTreeSet::from([id("live")])).await.unwrap();
    assert_eq!(
        (pruned.worktrees, pruned.checkouts),
        (vec![id("dead"), id("unknown")], 1)
    );
    assert!(pruned.kept.is_empty());
    assert!(live.top.exists() && !dead.top.exists());
    assert!(world.state("gate/live-1").exists() && !world.state("gate/dead-1").exists());
    assert!(world.state("stray/unknown-1/tree").exists());
    let kept = git(
        &world.path("repo"),
        &["ls-tree", "--name-only", "orchestrator/dead"],
    );
    assert!(kept.contains("unsaved"));
    assert!(!git(&world.path("repo"), &["worktree", "list"]).contains("dead"));
    let again = world.prepare("dead", "../repo").await.unwrap();
    assert!(again.root.join("unsaved").exists());
}

#[tokio::test]
async fn another_workspace_for_the_same_task_puts_the_old_one_away() {
    let world = World::new();
    world.repository("second");
    let old = world.prepare("t", "../repo").await.unwrap();
    fs::write(old.root.join("half"), "h").unwrap();
    let new = world.prepare("t", "../second").await.unwrap();
    assert_ne!(new.repository(), old.repository());
    assert!(!new.root.join("half").exists());
    assert!(git(&world.path("repo"), &["ls-tree", "--name-only", "orchestrator/t"]).contains("half"));
}
