//! Finished work and its base: brought together, moved forward, and never anything else.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;
use std::future::ready;

use orchestrator::workspace::{Advance, Workspace, WorkspaceError};

use super::world::{World, commit_all, git, id};

async fn work(world: &World, task: &str, file: &str, text: &str) -> (Workspace, String) {
    let ws = world.prepare(task, "../repo").await.unwrap();
    fs::write(ws.root.join(file), text).unwrap();
    let commit = commit_all(&ws.top, "work");
    (ws, commit)
}

async fn advance(ws: &Workspace, commit: &str) -> Advance {
    ws.advance(commit, "A title", ready(true)).await.unwrap()
}

#[tokio::test]
async fn a_base_moves_once_by_a_merge_of_what_was_judged() {
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "b.txt", "b\n").await;
    let Advance::Done { base } = advance(&ws, &commit).await else {
        panic!("not done");
    };
    assert_eq!(git(&repo, &["rev-parse", "main"]), base);
    assert_eq!(git(&repo, &["rev-parse", "main^2"]), commit);
    assert_eq!(
        git(&repo, &["rev-parse", "main^{tree}"]),
        git(&repo, &["rev-parse", &format!("{commit}^{{tree}}")])
    );
    assert_eq!(git(&repo, &["status", "--porcelain"]), "", "the folder followed");
    // Whoever was interrupted asks again.
    assert_eq!(advance(&ws, &commit).await, Advance::Done { base: base.clone() });
    assert_eq!(git(&repo, &["rev-parse", "main"]), base);
}

#[tokio::test]
async fn who_may_no_longer_moves_nothing() {
    let world = World::new();
    let (ws, commit) = work(&world, "t", "b.txt", "b\n").await;
    let stale = ws.advance(&commit, "A title", ready(false)).await.unwrap();
    assert_eq!(stale, Advance::Stale);
    assert_eq!(git(&world.path("repo"), &["rev-parse", "main"]), ws.base.commit);
}

#[tokio::test]
async fn a_base_that_moved_is_brought_in_first_and_the_work_counts_from_there() {
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "b.txt", "b\n").await;
    fs::write(repo.join("c.txt"), "c\n").unwrap();
    let moved = commit_all(&repo, "meanwhile");
    assert_eq!(advance(&ws, &commit).await, Advance::Behind);
    let fresh = ws.bring_up_to_date(&commit).await.unwrap();
    assert!(fresh.conflicts.is_empty());
    assert_eq!(ws.head().await.unwrap(), fresh.commit);
    assert!(ws.status_clean().await.unwrap() && ws.root.join("c.txt").exists());
    let known = world.all.find(&id("t")).await.unwrap().unwrap();
    assert_eq!(known.base.commit, moved);
    assert_eq!(known.changed_files(&known.base.commit).await.unwrap(), ["b.txt"]);
    // Asked again after an interruption, and again when nothing moved.
    let again = known.bring_up_to_date(&commit).await.unwrap();
    assert!(again.conflicts.is_empty());
    let still = known.bring_up_to_date(&again.commit).await.unwrap();
    assert_eq!(still.commit, again.commit);
    assert!(matches!(
        advance(&known, &again.commit).await,
        Advance::Done { .. }
    ));
}

#[tokio::test]
async fn a_conflict_is_committed_with_its_marks() {
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "a.txt", "mine\n").await;
    fs::write(repo.join("a.txt"), "theirs\n").unwrap();
    commit_all(&repo, "meanwhile");
    let fresh = ws.bring_up_to_date(&commit).await.unwrap();
    assert_eq!(fresh.conflicts, ["a.txt"]);
    let text = fs::read_to_string(ws.root.join("a.txt")).unwrap();
    assert!(
        text.contains("<<<<<<<") && text.contains("mine") && text.contains("theirs"),
        "{text}"
    );
    assert!(ws.status_clean().await.unwrap());
}

#[tokio::test]
async fn a_branch_that_somebody_moved_is_not_reset() {
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "b.txt", "b\n").await;
    commit_all(&repo, "meanwhile");
    fs::write(ws.root.join("d.txt"), "d\n").unwrap();
    let later = commit_all(&ws.top, "more");
    let refused = ws.bring_up_to_date(&commit).await;
    assert!(
        matches!(refused, Err(WorkspaceError::Tampered { .. })),
        "{refused:?}"
    );
    assert_eq!(ws.head().await.unwrap(), later);
}

#[tokio::test]
async fn a_base_that_nobody_has_checked_out_moves_too() {
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "b.txt", "b\n").await;
    git(&repo, &["checkout", "-q", "--detach"]);
    assert!(matches!(advance(&ws, &commit).await, Advance::Done { .. }));
    assert_eq!(git(&repo, &["rev-parse", "main^2"]), commit);
    assert!(
        !repo.join("b.txt").exists(),
        "the folder stands elsewhere and stays there"
    );
}

#[tokio::test]
async fn what_is_in_the_way_is_told_and_nothing_moves() {
    let world = World::new();
    let repo = world.path("repo");
    let start = git(&repo, &["rev-parse", "main"]);
    let (ws, commit) = work(&world, "t", "a.txt", "mine\n").await;
    let refused = |advance: Advance, words: &str| match advance {
        Advance::Refused(why) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    };
    // Somebody's own change of the same file.
    fs::write(repo.join("a.txt"), "by hand\n").unwrap();
    refused(advance(&ws, &commit).await, "a.txt");
    assert_eq!(fs::read_to_string(repo.join("a.txt")).unwrap(), "by hand\n");
    git(&repo, &["checkout", "-q", "a.txt"]);
    // A file that somebody has there, and the work brings.
    let (other, brings) = work(&world, "u", "new.txt", "mine\n").await;
    fs::write(repo.join("new.txt"), "theirs\n").unwrap();
    refused(advance(&other, &brings).await, "new.txt");
    assert_eq!(fs::read_to_string(repo.join("new.txt")).unwrap(), "theirs\n");
    // A file that a program of somebody's would have to write.
    let (third, _) = work(&world, "v", ".gitattributes", "*.bin filter=lfs\n").await;
    fs::write(third.root.join("x.bin"), "pointer\n").unwrap();
    let filtered = commit_all(&third.top, "binary");
    fs::write(repo.join(".git/info/attributes"), "*.bin filter=lfs\n").unwrap();
    refused(advance(&third, &filtered).await, "filter");
    assert_eq!(git(&repo, &["rev-parse", "main"]), start);
    // The base's branch is gone.
    git(&repo, &["checkout", "-q", "--detach"]);
    git(&repo, &["branch", "-q", "-D", "main"]);
    refused(advance(&ws, &commit).await, "is gone");
}

#[tokio::test]
async fn hooks_and_drivers_of_the_repository_do_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let repo = world.path("repo");
    let (ws, commit) = work(&world, "t", "a.txt", "mine\n").await;
    let trace = world.path("ran");
    for hook in [
        "post-merge",
        "pre-merge-commit",
        "reference-transaction",
        "post-checkout",
    ] {
        let path = repo.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    git(
        &repo,
        &["config", "core.fsmonitor", &format!("touch {}", trace.display())],
    );
    assert!(matches!(advance(&ws, &commit).await, Advance::Done { .. }));
    assert!(!trace.exists());
}

#[tokio::test]
async fn work_without_a_base_elsewhere_is_where_it_belongs() {
    let world = World::new();
    let own = world.all.prepare(&id("o"), None, "A title", &[]).await.unwrap();
    let head = own.head().await.unwrap();
    assert!(matches!(advance(&own, &head).await, Advance::Done { .. }));
}
