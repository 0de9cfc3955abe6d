//! Workspaces over real repositories: made, found again, never trusted, nothing lost.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::domain::id::TaskId;
use orchestrator::workspace::{Drift, Merge, Tracking, Workspace, WorkspaceError, Workspaces};
use tempfile::TempDir;

/// A temporary instance beside a temporary repository with one commit.
pub struct World {
    dir: TempDir,
    pub all: Workspaces,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["instance", "home"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let at = |name: &str| dir.path().join(name);
        let all = Workspaces::new(&at("instance"), &at("instance/.orchestrator"), Some(&at("home"))).unwrap();
        let world = Self { dir, all };
        world.repository("repo");
        world
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(below)
    }

    pub fn state(&self, below: &str) -> PathBuf {
        self.path("instance/.orchestrator").join(below)
    }

    /// A repository with `a.txt` and one commit on `main`.
    pub fn repository(&self, name: &str) -> PathBuf {
        let repo = self.path(name);
        fs::create_dir_all(&repo).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        fs::write(repo.join("a.txt"), "one\n").unwrap();
        commit_all(&repo, "first");
        repo
    }

    pub async fn prepare(&self, task: &str, workspace: &str) -> Result<Workspace, WorkspaceError> {
        self.all.prepare(&id(task), Some(workspace), "A title", &[]).await
    }
}

pub fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

/// Runs git as a person would, and gives its output.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

pub fn commit_all(dir: &Path, message: &str) -> String {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
    git(dir, &["rev-parse", "HEAD"])
}

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
async fn debris_in_the_way_is_set_aside_not_deleted() {
    let world = World::new();
    fs::create_dir_all(world.state("worktrees/t")).unwrap();
    fs::write(world.state("worktrees/t/precious"), "x").unwrap();
    let ws = world.prepare("t", "../repo").await.unwrap();
    assert!(ws.root.join("a.txt").exists());
    assert!(world.state("stray/t-1/precious").exists());
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
    assert_eq!(ws.list_at(&ws.base.commit).await.unwrap(), ["src/"]);
    assert_eq!(
        ws.read_at(&ws.base.commit, "src/x").await.unwrap(),
        Some("x".to_owned())
    );
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
    let names = ws.list_at(&ws.base.commit).await.unwrap();
    assert_eq!(
        names,
        [".gitignore", "doc.md"],
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
async fn planted_links_are_refused() {
    let world = World::new();
    fs::create_dir(world.path("victim")).unwrap();
    for kind in ["worktrees", "workspaces"] {
        fs::create_dir_all(world.state(kind)).unwrap();
        std::os::unix::fs::symlink(world.path("victim"), world.state(kind).join("t")).unwrap();
    }
    assert!(matches!(
        world.prepare("t", "../repo").await,
        Err(WorkspaceError::Tampered { .. })
    ));
    let own = world.all.prepare(&id("t"), None, "x", &[]).await;
    assert!(matches!(own, Err(WorkspaceError::Tampered { .. })));
    std::os::unix::fs::symlink(world.path("victim"), world.state("gate")).unwrap();
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
    std::os::unix::fs::symlink(world.path("home"), repo.join("app")).unwrap();
    commit_all(&repo, "link");
    fs::remove_file(repo.join("app")).unwrap();
    fs::rename(world.path("moved"), repo.join("app")).unwrap();
    assert!(matches!(
        world.prepare("t", "../repo/app").await,
        Err(WorkspaceError::Tampered { .. })
    ));
}

#[tokio::test]
async fn programs_named_by_the_repository_do_not_run() {
    let world = World::new();
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
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    for key in [
        "core.fsmonitor",
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "merge.evil.driver",
        "diff.evil.command",
        "diff.evil.textconv",
        "diff.external",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "credential.helper",
    ] {
        git(&repo, &["config", key, &touch]);
    }
    git(&repo, &["config", "filter.evil.required", "true"]);
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(ws.root.join("a.txt"), "worker\n").unwrap();
    assert!(!ws.status_clean().await.unwrap());
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    ws.diff_stat(&ws.base.commit).await.unwrap();
    ws.evidence(&ws.base.commit).await.unwrap();
    // A second branch moves the base, so that a real three-way merge is made.
    let plumb = |args: &[&str]| git(&world.path("other"), args);
    git(
        &world.path(""),
        &[
            "clone",
            "-q",
            "--no-local",
            "-c",
            "core.hooksPath=/dev/null",
            "repo",
            "other",
        ],
    );
    fs::write(world.path("other/a.txt"), "base\n").unwrap();
    plumb(&["commit", "-q", "-am", "base moves"]);
    let moved = plumb(&["rev-parse", "HEAD"]);
    fs::remove_dir_all(repo.join(".git/hooks")).unwrap();
    git(&repo, &["-c", "core.fsmonitor=false", "fetch", "-q", "../other"]);
    git(
        &repo,
        &[
            "-c",
            "core.fsmonitor=false",
            "update-ref",
            "refs/heads/main",
            &moved,
        ],
    );
    fs::remove_file(&canary).ok();
    let head = ws.head().await.unwrap();
    let merge = ws.merges_with_base(&head).await.unwrap();
    assert!(matches!(merge, Merge::Conflict { files, .. } if files == ["a.txt"]));
    ws.checkout_at(&head).await.unwrap().dirt().await.unwrap();
    assert!(!canary.exists(), "something ran");
}

#[tokio::test]
async fn no_program_runs_while_a_worktree_is_made_and_committed_to() {
    let world = World::new();
    let (repo, canary) = (world.path("repo"), world.path("canary"));
    let touch = format!("touch {}", canary.display());
    fs::write(repo.join(".gitattributes"), "*.txt filter=evil\n").unwrap();
    commit_all(&repo, "attributes");
    let hook = repo.join(".git/hooks/post-checkout");
    fs::write(&hook, format!("#!/bin/sh\n{touch}\n")).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for key in ["core.fsmonitor", "filter.evil.smudge", "filter.evil.clean"] {
        git(&repo, &["config", key, &touch]);
    }
    let ws = world.prepare("t", "../repo").await.unwrap();
    assert!(!canary.exists(), "making the worktree ran something");
    fs::write(ws.root.join("a.txt"), "worker\n").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    assert!(!canary.exists(), "committing ran something");
    git(&ws.top, &["checkout", "-q", "HEAD~1", "--", "a.txt"]);
    assert!(canary.exists(), "the trap itself works");
}

#[tokio::test]
async fn leftovers_are_committed_and_the_workers_own_commits_stay() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    let start = ws.head().await.unwrap();
    let nothing = ws.commit_leftovers("nothing", &start).await.unwrap();
    assert_eq!(nothing, Default::default());
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
    assert!(one.changed && one.fingerprint.starts_with("tree:"));
    commit_all(&ws.root, "again an empty one");
    assert_eq!(
        ws.evidence(&start).await.unwrap().fingerprint,
        one.fingerprint,
        "nothing new"
    );
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
    assert_eq!(one.head().await.unwrap().as_deref(), Some(one.commit()));
    assert!(one.dirt().await.unwrap().is_empty());
    git(
        &one.root().to_path_buf(),
        &["update-index", "--assume-unchanged", "a.txt"],
    );
    fs::write(one.root().join("a.txt"), "changed").unwrap();
    assert_eq!(
        one.dirt().await.unwrap(),
        ["a.txt"],
        "marks on the index hide nothing"
    );
    let homes = [one.home().to_path_buf(), two.home().to_path_buf()];
    one.remove().await.unwrap();
    drop(two);
    assert!(homes.iter().all(|h| !h.exists()));
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
                gate.remove().await.unwrap();
            });
        }
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    assert_eq!(fs::read_dir(world.state("repos")).unwrap().count(), 1);
}
