//! Workspaces over real repositories: made, found again, shared.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod advance;
mod hostile;
mod leftovers;
mod push;
pub mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use orchestrator::workspace::{Merge, Tracking, Workspace, WorkspaceError};

use world::{World, commit_all, git, id};

#[tokio::test]
async fn a_repository_gives_a_worktree_on_a_branch_of_the_tasks_own() {
    let world = World::new();
    let ws = world.prepare("t-1", "../repo").await.unwrap();
    assert_eq!(ws.top, world.state("worktrees/t-1"));
    assert_eq!(ws.root, ws.top);
    assert_eq!(ws.branch, "orchestrator/t-1");
    assert_eq!(ws.base.reference, "refs/heads/main");
    assert_eq!(ws.base.commit, git(&world.path("repo"), &["rev-parse", "main"]));
    assert_eq!(ws.head().await.unwrap(), ws.base.commit);
    assert_eq!(fs::read_to_string(ws.root.join("a.txt")).unwrap(), "one\n");
    assert!(ws.status_clean().await.unwrap());
    assert_eq!(
        git(&ws.top, &["symbolic-ref", "HEAD"]),
        "refs/heads/orchestrator/t-1"
    );
}

#[tokio::test]
async fn preparing_again_resumes_and_keeps_the_base_that_was_recorded() {
    let world = World::new();
    let first = world.prepare("t", "../repo").await.unwrap();
    fs::write(first.root.join("b.txt"), "work\n").unwrap();
    commit_all(&world.path("repo"), "main moves on");
    let again = world.prepare("t", "../repo").await.unwrap();
    assert_eq!(again, first);
    assert!(
        again.root.join("b.txt").exists(),
        "uncommitted work survives a resume"
    );
    assert_eq!(world.all.find(&id("t")).await.unwrap(), Some(first.clone()));
    let json = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Workspace>(&json).unwrap(), first);
}

#[tokio::test]
async fn a_worktree_that_vanished_is_made_again_on_its_branch() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("b.txt"), "x").unwrap();
    let left = ws.commit_leftovers("kept", &ws.base.commit).await.unwrap();
    fs::remove_dir_all(&ws.top).unwrap();
    fs::remove_file(world.state("places/t.json")).unwrap();
    assert_eq!(world.all.find(&id("t")).await.unwrap(), None);
    commit_all(&world.path("repo"), "main moves on");
    let again = world.prepare("t", "../repo").await.unwrap();
    assert_eq!(again.head().await.unwrap(), left.commit.unwrap());
    assert_eq!(again.base, ws.base, "the base is found again as the merge base");
    assert!(again.root.join("b.txt").exists());
}

#[tokio::test]
async fn a_sub_folder_becomes_the_workers_folder() {
    let world = World::new();
    let repo = world.path("repo");
    fs::create_dir_all(repo.join("app/src")).unwrap();
    fs::write(repo.join("app/src/x"), "x").unwrap();
    commit_all(&repo, "app");
    let ws = world.prepare("t", "../repo/app").await.unwrap();
    assert_eq!(ws.root, ws.top.join("app"));
    let root = ws.root_at(&ws.base.commit, &["src/x", "src/y"]).await.unwrap();
    assert_eq!(root.names, BTreeSet::from(["src/".to_owned()]));
    assert_eq!(root.texts, BTreeMap::from([("src/x".to_owned(), "x".to_owned())]));
    let gate = ws.checkout_at(&ws.base.commit).await.unwrap();
    assert!(gate.root().ends_with("tree/app") && gate.root().join("src/x").exists());
}

#[tokio::test]
async fn without_a_workspace_the_task_gets_a_repository_of_its_own() {
    let world = World::new();
    let ws = world
        .all
        .prepare(&id("t"), None, "Write a thing", &[])
        .await
        .unwrap();
    assert_eq!(ws.top, world.state("workspaces/t"));
    assert!(matches!(ws.tracking, Tracking::Own { .. }));
    assert_eq!(
        git(&ws.top, &["log", "--format=%an %s", "-1"]),
        "orchestrator Start of: Write a thing"
    );
    assert_eq!(git(&ws.top, &["ls-tree", "-r", "HEAD"]), "");
    fs::write(ws.root.join("new"), "x").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    let again = world
        .all
        .prepare(&id("t"), None, "Write a thing", &[])
        .await
        .unwrap();
    assert_eq!(again, ws);
    assert_ne!(ws.head().await.unwrap(), ws.base.commit);
}

#[tokio::test]
async fn a_plain_folder_is_worked_on_in_place_and_nothing_is_written_into_it() {
    let world = World::new();
    let folder = world.path("plain");
    fs::create_dir_all(folder.join("junk")).unwrap();
    fs::write(folder.join(".gitignore"), "junk/\n").unwrap();
    fs::write(folder.join("doc.md"), "one").unwrap();
    fs::write(folder.join("junk/x"), "x").unwrap();
    let huge = fs::File::create(folder.join("huge")).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    let ws = world.prepare("t", "../plain").await.unwrap();
    assert_eq!(ws.root, folder);
    let names = ws.root_at(&ws.base.commit, &[]).await.unwrap().names;
    assert_eq!(
        names,
        BTreeSet::from([".gitignore", "doc.md"].map(str::to_owned)),
        "neither ignored nor huge files are kept"
    );
    let start = ws.head().await.unwrap();
    assert!(!ws.evidence(&start).await.unwrap().changed);
    fs::write(folder.join("doc.md"), "two").unwrap();
    fs::write(folder.join("new.md"), "n").unwrap();
    let left = ws.commit_leftovers("work", &start).await.unwrap();
    assert_eq!(left.skipped, ["huge (larger than 64 MB)"]);
    let evidence = ws.evidence(&start).await.unwrap();
    assert!(evidence.changed && evidence.files_changed == 2);
    assert!(!folder.join(".git").exists());
    assert_eq!(world.prepare("t", "../plain").await.unwrap(), ws);
    assert_eq!(
        ws.merges_with_base(&ws.head().await.unwrap()).await.unwrap(),
        Merge::Unmoved { base: start }
    );
    let gate = ws.checkout_at("refs/heads/orchestrator/t").await.unwrap();
    assert_eq!(fs::read_to_string(gate.root().join("doc.md")).unwrap(), "two");
}

#[tokio::test]
async fn an_ignored_folder_of_a_repository_is_a_plain_folder() {
    let world = World::new();
    let repo = world.path("repo");
    fs::write(repo.join(".gitignore"), "scratch/\n").unwrap();
    fs::create_dir(repo.join("scratch")).unwrap();
    commit_all(&repo, "ignore");
    let ws = world.prepare("t", "../repo/scratch").await.unwrap();
    assert!(matches!(ws.tracking, Tracking::Shadow { .. }));
}

#[tokio::test]
async fn an_address_is_cloned_once_and_fetched_again() {
    let world = World::new();
    let repo = world.path("repo");
    let url = format!("file://{}", repo.display());
    let one = world.prepare("one", &url).await.unwrap();
    assert_eq!(one.base.reference, "refs/remotes/origin/main");
    assert!(one.root.join("a.txt").exists());
    let moved = commit_all(&repo, "moves on");
    let two = world.prepare("two", &url).await.unwrap();
    assert_eq!(two.base.commit, moved);
    assert_eq!(one.repository(), two.repository());
    assert_eq!(fs::read_dir(world.state("repos")).unwrap().count(), 1);
    let merge = one.merges_with_base(&one.head().await.unwrap()).await.unwrap();
    assert!(
        matches!(merge, Merge::Clean { base, .. } if base == moved),
        "the base is fetched"
    );
}

#[tokio::test]
async fn a_repository_without_a_commit_is_refused() {
    let world = World::new();
    fs::create_dir(world.path("empty")).unwrap();
    git(&world.path("empty"), &["init", "-q"]);
    assert!(matches!(
        world.prepare("t", "../empty").await,
        Err(WorkspaceError::NoCommit(_))
    ));
}

#[tokio::test]
async fn the_work_of_dependencies_is_merged_at_the_start() {
    let world = World::new();
    let dep = world.prepare("dep", "../repo").await.unwrap();
    fs::write(dep.root.join("dep.txt"), "d").unwrap();
    dep.commit_leftovers("dep's work", &dep.base.commit)
        .await
        .unwrap();
    commit_all(&world.path("repo"), "main moves on");
    let needs = [id("dep"), id("never-heard-of")];
    let ws = world
        .all
        .prepare(&id("t"), Some("../repo"), "T", &needs)
        .await
        .unwrap();
    assert!(ws.root.join("dep.txt").exists());
    assert!(ws.status_clean().await.unwrap());
    let head = ws.head().await.unwrap();
    assert!(matches!(
        ws.merges_with_base(&head).await.unwrap(),
        Merge::Unmoved { .. }
    ));
}

#[tokio::test]
async fn a_start_that_was_interrupted_before_the_merges_is_brought_to_its_end() {
    let world = World::new();
    let dep = world.prepare("dep", "../repo").await.unwrap();
    fs::write(dep.root.join("dep.txt"), "d").unwrap();
    dep.commit_leftovers("dep's work", &dep.base.commit)
        .await
        .unwrap();
    git(&world.path("repo"), &["branch", "orchestrator/t", "main"]);
    let needs = [id("dep")];
    let all = &world.all;
    let ws = all.prepare(&id("t"), Some("../repo"), "T", &needs).await.unwrap();
    assert!(ws.root.join("dep.txt").exists());
}

#[tokio::test]
async fn a_dependency_that_conflicts_is_for_a_person_and_leaves_nothing_behind() {
    let world = World::new();
    let dep = world.prepare("dep", "../repo").await.unwrap();
    fs::write(dep.root.join("a.txt"), "dep\n").unwrap();
    dep.commit_leftovers("dep's work", &dep.base.commit)
        .await
        .unwrap();
    fs::write(world.path("repo/a.txt"), "base\n").unwrap();
    commit_all(&world.path("repo"), "main changes the same");
    for _ in 0..2 {
        let refused = world
            .all
            .prepare(&id("t"), Some("../repo"), "T", &[id("dep")])
            .await;
        match refused {
            Err(WorkspaceError::DependencyConflict { files, .. }) => assert_eq!(files, ["a.txt"]),
            other => panic!("{other:?}"),
        }
        assert!(!world.state("worktrees/t").exists());
    }
    assert_eq!(
        git(&world.path("repo"), &["branch", "--list", "orchestrator/t"]),
        ""
    );
}

#[tokio::test]
async fn a_gate_checkout_is_fresh_and_goes_away() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("uncommitted"), "u").unwrap();
    let (one, two) = (
        ws.checkout_at("main").await.unwrap(),
        ws.checkout_at("main").await.unwrap(),
    );
    assert_ne!(one.home(), two.home());
    assert!(!one.root().join("uncommitted").exists());
    assert_eq!(one.tree(), git(&ws.top, &["rev-parse", "main^{tree}"]));
    assert_eq!(one.head().as_deref(), Some(one.commit()));
    assert!(one.dirt().await.unwrap().is_empty());
    git(one.root(), &["update-index", "--assume-unchanged", "a.txt"]);
    fs::write(one.root().join("a.txt"), "changed").unwrap();
    assert_eq!(
        one.dirt().await.unwrap(),
        ["a.txt"],
        "marks on the index hide nothing"
    );
    let homes = [one.home().to_path_buf(), two.home().to_path_buf()];
    one.remove();
    drop(two);
    assert!(!homes[1].exists());
    while homes[0].exists() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        ws.checkout_at("no-such").await,
        Err(WorkspaceError::UnknownCommit { .. })
    ));
    assert!(matches!(
        ws.checkout_at("--help").await,
        Err(WorkspaceError::UnknownCommit { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_may_start_in_one_repository_at_once() {
    let world = std::sync::Arc::new(World::new());
    let url = format!("file://{}", world.path("repo").display());
    let mut all = tokio::task::JoinSet::new();
    for n in 0..4 {
        for (kind, workspace) in [("folder", "../repo".to_owned()), ("url", url.clone())] {
            let world = world.clone();
            all.spawn(async move {
                let ws = world.prepare(&format!("{kind}-{n}"), &workspace).await.unwrap();
                fs::write(ws.root.join("b"), ws.task.as_str()).unwrap();
                let left = ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
                let gate = ws.checkout_at(&left.commit.unwrap()).await.unwrap();
                assert_eq!(
                    fs::read_to_string(gate.root().join("b")).unwrap(),
                    ws.task.as_str()
                );
                gate.remove();
            });
        }
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    assert_eq!(fs::read_dir(world.state("repos")).unwrap().count(), 1);
}
