//! Workspaces that are out for something: names, links and repositories that would run programs.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;
use std::os::fd::OwnedFd;
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

/// Seen to fail without `core.hooksPath` in `disarm::always`: making the worktree ran a hook.
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

/// Seen to fail with merge drivers unanswered in `disarm::answer`: the driver took the place of the conflict.
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

/// Seen to fail without `source::broken_rule`: what it refuses got further.
#[tokio::test]
async fn refusals_say_what_to_do_and_run_nothing() {
    let world = World::new();
    let canary = world.path("canary");
    let touch = format!("$(touch {})", canary.display());
    fs::write(world.path("instance/file"), "x").unwrap();
    let by_rule = [
        "/",
        "~/",
        ".",
        "..",
        "file",
        ".orchestrator",
        &format!("--upload-pack=touch {}", canary.display()),
        &format!("ext::sh -c 'touch {}'", canary.display()),
        &format!("ext::sh -c 'touch {}' ://x", canary.display()),
        "git://example.org/x",
        "ssh://-oProxyCommand=x/y",
        "a\nb",
    ];
    for text in by_rule {
        let refused = world.prepare("t", text).await.expect_err(text);
        assert!(
            matches!(refused, WorkspaceError::Refused { .. }),
            "{text:?}: {refused}"
        );
    }
    for text in [touch.as_str(), "no/such/folder", "file:///no/such/repository"] {
        let refused = world.prepare("t", text).await;
        let words = refused.expect_err(text).to_string();
        assert!(words.len() > 20, "{text:?}: {words}");
    }
    assert!(!canary.exists());
    assert!(!world.state("worktrees/t").exists() && !world.state("places/t.json").exists());
}

/// Seen to fail with git started by a shell in `Git::command`.
#[tokio::test]
async fn a_hostile_folder_name_is_only_a_name() {
    let world = World::new();
    let canary = format!("canary-{}", std::process::id());
    let name = format!("$(touch {canary});`touch {canary}`;touch {canary} --upload-pack");
    world.repository(&name);
    let made = world.prepare("t", &format!("../{name}")).await;
    // A shell would have been in one of these.
    for folder in [PathBuf::new(), world.path(""), world.path(&name), world.state("")] {
        assert!(!folder.join(&canary).exists(), "{}", folder.display());
    }
    assert!(made.unwrap().root.join("a.txt").exists());
}

/// Seen to fail without `fence::refuse_link`.
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

/// Seen to fail without `fence::inside`.
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

/// Seen to fail without `mirror::refuse_rewrites`.
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

/// Seen to fail without the look at the repository in `Workspace::git`.
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

/// No verb of git that is called follows them, so there is nothing to take out.
#[tokio::test]
async fn submodules_are_not_followed_and_survive_a_commit() {
    let world = World::new();
    let repo = world.path("repo");
    let inner = world.repository("inner");
    let address = format!("file://{}", inner.display());
    git(
        &repo,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            &address,
            "sub",
        ],
    );
    commit_all(&repo, "submodule");
    let ws = world.prepare("t", "../repo").await.unwrap();
    assert_eq!(fs::read_dir(ws.root.join("sub")).unwrap().count(), 0);
    assert!(ws.status_clean().await.unwrap());
    fs::write(ws.root.join("b.txt"), "b").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    assert_eq!(ws.changed_files(&ws.base.commit).await.unwrap(), ["b.txt"]);
    let gate = ws.checkout_at(&ws.branch).await.unwrap();
    assert!(gate.dirt().await.unwrap().is_empty());
}

/// A folder in a folder in a folder, so many.
fn burrow(top: &Path, levels: u32) {
    fs::create_dir(top).unwrap();
    let mut folder: OwnedFd = fs::File::open(top).unwrap().into();
    for _ in 0..levels {
        rustix::fs::mkdirat(&folder, "d", rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, "d", flags, rustix::fs::Mode::empty()).unwrap();
    }
}

/// Deletes what a test that fails half-way leaves: the usual way would be an overflow of the stack.
struct Swept(PathBuf);

impl Drop for Swept {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

/// Seen to fail with `remove_dir_all` in place of `removal::remove`: an overflow of the stack ended the process.
#[tokio::test]
async fn a_tree_deeper_than_any_path_is_got_rid_of() {
    let world = World::new();
    let _swept = Swept(world.path("instance"));
    let ws = world.prepare("t", "../repo").await.unwrap();
    burrow(&ws.root.join("deep"), 20_000);
    fs::write(ws.root.join("b.txt"), "b").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    assert_eq!(ws.changed_files(&ws.base.commit).await.unwrap(), ["b.txt"]);
    let gate = ws.checkout_at(&ws.branch).await.unwrap();
    world.all.remove_worktree(&id("t")).await.unwrap();
    assert!(!world.state("worktrees/t").exists());
    // A check makes one, too.
    fs::rename(world.state("stray/t-1/deep"), gate.root().join("deep")).unwrap();
    let home = gate.home().to_owned();
    tokio::task::spawn_blocking(move || drop(gate)).await.unwrap();
    assert!(!home.exists());
}

/// The parents of a commit as a graph file has them: `second` becomes its second one. Git believes the file.
fn forge_graph(repo: &Path, commit: &str, second: &str) {
    git(repo, &["commit-graph", "write", "--reachable"]);
    let file = repo.join(".git/objects/info/commit-graph");
    let mut graph = fs::read(&file).unwrap();
    let long = |bytes: &[u8]| usize::try_from(u64::from_be_bytes(bytes.try_into().unwrap())).unwrap();
    let chunk = |graph: &[u8], name: &[u8]| {
        let table = (0..usize::from(graph[6])).map(|n| &graph[8 + 12 * n..20 + 12 * n]);
        let entry = table.into_iter().find(|entry| &entry[..4] == name).unwrap();
        long(&entry[4..12])
    };
    let (fan, names, commits) = (
        chunk(&graph, b"OIDF"),
        chunk(&graph, b"OIDL"),
        chunk(&graph, b"CDAT"),
    );
    let count = u32::from_be_bytes(graph[fan + 1020..fan + 1024].try_into().unwrap());
    let at = |wanted: &str| {
        let name = |n: usize| &graph[names + 20 * n..names + 20 * n + 20];
        let hex = |n: usize| name(n).iter().map(|b| format!("{b:02x}")).collect::<String>();
        (0..count as usize).find(|n| hex(*n) == wanted).unwrap()
    };
    let (commit, second) = (at(commit), u32::try_from(at(second)).unwrap());
    let parent = commits + 36 * commit + 24;
    graph[parent..parent + 4].copy_from_slice(&second.to_be_bytes());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, graph).unwrap();
}

#[tokio::test]
async fn a_forged_graph_of_commits_is_not_believed() {
    let world = World::new();
    let repo = world.path("repo");
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(repo.join("b.txt"), "of the base\n").unwrap();
    let base = commit_all(&repo, "main moves on");
    fs::write(ws.root.join("c.txt"), "work\n").unwrap();
    // The commit that is named is read itself; those before it are looked up in the graph.
    let first = commit_all(&ws.root, "work");
    let head = commit_all(&ws.root, "more work");
    forge_graph(&repo, &first, &base);
    let holds = Command::new("git")
        .args(["merge-base", "--is-ancestor", &base, &head])
        .current_dir(&repo)
        .status();
    assert!(holds.unwrap().success(), "git itself is taken in");
    assert!(matches!(
        ws.merges_with_base(&head).await.unwrap(),
        Merge::Clean { .. }
    ));
    let fresh = ws.bring_up_to_date(&head).await.unwrap();
    assert_ne!(fresh.commit, head);
}
