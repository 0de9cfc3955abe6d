//! Workspaces that are out for something: names, links and repositories that would run programs.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::workspace::{Merge, WorkspaceError};

use super::world::{World, commit_all, git, id};

/// Every kind of program that a repository can name, each of which leaves a file; the file's path.
fn arm(world: &World) -> PathBuf {
    let (repo, canary) = (world.path("repo"), world.path("canary"));
    let touch = format!("touch {}", canary.display());
    fs::write(
        repo.join(".gitattributes"),
        "*.txt filter=evil merge=evil diff=evil\n",
    )
    .unwrap();
    commit_all(&repo, "attributes");
    for hook in [
        "post-checkout",
        "pre-commit",
        "reference-transaction",
        "post-merge",
        "post-index-change",
    ] {
        let file = repo.join(".git/hooks").join(hook);
        fs::write(&file, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "core.alternateRefsCommand",
        "credential.helper",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "merge.evil.driver",
    ] {
        git(&repo, &["config", key, &touch]);
    }
    git(&repo, &["config", "filter.evil.required", "true"]);
    fs::remove_file(&canary).ok();
    canary
}

/// A commit on top of `main`, made elsewhere so that nothing of the repository's own runs, then fetched into it.
fn move_base(world: &World, text: &str) {
    let (repo, other) = (world.path("repo"), world.path("other"));
    git(&world.path(""), &["clone", "-q", "--no-local", "repo", "other"]);
    fs::write(other.join("a.txt"), text).unwrap();
    git(&other, &["commit", "-q", "-am", "base moves"]);
    let moved = git(&other, &["rev-parse", "HEAD"]);
    git(&repo, &["fetch", "-q", "../other"]);
    git(&repo, &["update-ref", "refs/heads/main", &moved]);
}

fn clear(canary: &Path) {
    fs::remove_file(canary).ok();
}

#[tokio::test]
async fn programs_named_by_the_repository_do_not_run() {
    let world = World::new();
    let canary = arm(&world);
    let ws = world.prepare("t", "../repo").await.unwrap();
    assert!(!canary.exists(), "making the worktree ran something");
    fs::write(ws.root.join("a.txt"), "worker\n").unwrap();
    assert!(!ws.status_clean().await.unwrap());
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    assert!(!canary.exists(), "committing ran something");
    ws.diff_stat(&ws.base.commit).await.unwrap();
    ws.evidence(&ws.base.commit).await.unwrap();
    ws.checkout_at(&ws.branch).await.unwrap().dirt().await.unwrap();
    world.all.remove_worktree(&id("t")).await.unwrap();
    assert!(!canary.exists(), "looking or tidying ran something");
    // Git without our overrides; that the trap breaks it is no matter.
    let armed = Command::new("git")
        .arg("status")
        .current_dir(world.path("repo"))
        .output();
    assert!(armed.is_ok());
    assert!(canary.exists(), "the trap itself works");
}

#[tokio::test]
async fn merge_drivers_of_the_repository_do_not_run() {
    let world = World::new();
    let canary = arm(&world);
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("a.txt"), "worker\n").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    move_base(&world, "base\n");
    clear(&canary);
    let head = ws.head().await.unwrap();
    let merge = ws.merges_with_base(&head).await.unwrap();
    assert!(matches!(merge, Merge::Conflict { files, .. } if files == ["a.txt"]));
    let again = world
        .all
        .prepare(&id("u"), Some("../repo"), "U", &[id("t")])
        .await;
    assert!(matches!(again, Err(WorkspaceError::DependencyConflict { .. })));
    assert!(!canary.exists(), "merging ran something");
}

#[tokio::test]
async fn refusals_say_what_to_do_and_run_nothing() {
    let world = World::new();
    let canary = world.path("canary");
    let touch = format!("$(touch {})", canary.display());
    fs::write(world.path("instance/file"), "x").unwrap();
    for text in [
        touch.as_str(),
        "no/such/folder",
        "/",
        "~/",
        ".",
        "..",
        "file",
        ".orchestrator",
        &format!("--upload-pack=touch {}", canary.display()),
        &format!("ext::sh -c 'touch {}'", canary.display()),
        "git://example.org/x",
        "ssh://-oProxyCommand=x/y",
        "file:///no/such/repository",
        "a\nb",
    ] {
        let refused = world.prepare("t", text).await;
        let words = refused.expect_err(text).to_string();
        assert!(words.len() > 20, "{text:?}: {words}");
    }
    assert!(!canary.exists());
    assert!(!world.state("worktrees/t").exists() && !world.state("places/t.json").exists());
}

#[tokio::test]
async fn a_hostile_folder_name_is_only_a_name() {
    let world = World::new();
    let canary = world.path("canary");
    let name = format!(
        "$(touch {});`x` --upload-pack",
        canary.display().to_string().replace('/', ":")
    );
    world.repository(&name);
    let ws = world.prepare("t", &format!("../{name}")).await.unwrap();
    assert!(ws.root.join("a.txt").exists() && !canary.exists());
}

#[tokio::test]
async fn planted_links_are_refused() {
    let world = World::new();
    fs::create_dir(world.path("victim")).unwrap();
    for kind in ["worktrees", "workspaces"] {
        fs::create_dir_all(world.state(kind)).unwrap();
        symlink(world.path("victim"), world.state(kind).join("t")).unwrap();
    }
    assert!(matches!(
        world.prepare("t", "../repo").await,
        Err(WorkspaceError::Tampered { .. })
    ));
    let own = world.all.prepare(&id("t"), None, "x", &[]).await;
    assert!(matches!(own, Err(WorkspaceError::Tampered { .. })));
    symlink(world.path("victim"), world.state("gate")).unwrap();
    let ws = world.prepare("u", "../repo").await.unwrap();
    assert!(matches!(
        ws.checkout_at("HEAD").await,
        Err(WorkspaceError::Tampered { .. })
    ));
    assert_eq!(fs::read_dir(world.path("victim")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_link_in_the_tree_does_not_lead_the_worker_out() {
    let world = World::new();
    let repo = world.path("repo");
    fs::create_dir(repo.join("app")).unwrap();
    fs::write(repo.join("app/x"), "x").unwrap();
    commit_all(&repo, "app");
    // The commit has a link where the checkout that the task names has a folder.
    fs::rename(repo.join("app"), world.path("moved")).unwrap();
    symlink(world.path("home"), repo.join("app")).unwrap();
    commit_all(&repo, "link");
    fs::remove_file(repo.join("app")).unwrap();
    fs::rename(world.path("moved"), repo.join("app")).unwrap();
    assert!(matches!(
        world.prepare("t", "../repo/app").await,
        Err(WorkspaceError::Tampered { .. })
    ));
}

#[tokio::test]
async fn a_worker_cannot_redirect_the_clone() {
    let world = World::new();
    let url = format!("file://{}", world.path("repo").display());
    let ws = world.prepare("t", &url).await.unwrap();
    let evil = format!("url.file://{}.insteadOf", world.repository("evil").display());
    git(&ws.top, &["config", &evil, "file://"]);
    assert!(matches!(
        ws.merges_with_base(&ws.base.commit).await,
        Err(WorkspaceError::Tampered { .. })
    ));
}

#[tokio::test]
async fn an_own_folder_whose_repository_was_deleted_is_not_taken_for_a_part_of_another() {
    let world = World::new();
    git(&world.path("instance"), &["init", "-q"]);
    let ws = world.all.prepare(&id("t"), None, "x", &[]).await.unwrap();
    fs::remove_dir_all(ws.top.join(".git")).unwrap();
    assert!(matches!(
        ws.commit_leftovers("x", &ws.base.commit).await,
        Err(WorkspaceError::Tampered { .. })
    ));
}
