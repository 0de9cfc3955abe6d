//! Whole: finished work goes through a pull request, and "done" means merged, green and closed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use orchestrator::forge::Kind;
use rstest::rstest;

use super::world::{Up, World, section};
use crate::forge::stage::{ReviewRow, Stage, TOKEN};

/// An instance, its repository on a forge, and the forge.
struct Scene {
    world: World,
    stage: Stage,
    bare: PathBuf,
}

impl Scene {
    /// The clone is reached as `git@forge.example`, by an `ssh` that leads to a folder of this machine.
    async fn set(kind: Kind, more: &str) -> Self {
        let stage = Stage::set(kind).await;
        let word = match kind {
            Kind::GitHub => "github",
            Kind::Gitea => "gitea",
        };
        let api = match kind {
            Kind::GitHub => stage.url.clone(),
            Kind::Gitea => format!("{}/api/v1", stage.url),
        };
        let forge = format!(
            "[landing]\nto = \"pull-request\"\n[forge]\nkind = \"{word}\"\nhost = \"forge.example\"\napi = \"{api}\"\n\
             token = \"${{FORGE_TOKEN}}\"\npoll = \"50ms\"\n{more}"
        );
        let world = World::configured("max_concurrent = 2\n", &forge);
        let bare = world.path("repos/acme/app.git");
        fs::create_dir_all(&bare).unwrap();
        world.git(&bare, &["init", "-q", "--bare", "--initial-branch=main"]);
        let project = world.repository("project", &[("f.txt", "one\n")].into());
        world.git(&project, &["push", "-q", bare.to_str().unwrap(), "main"]);
        world.git(
            &project,
            &["remote", "add", "origin", "git@forge.example:acme/app.git"],
        );
        let bin = world.path("bin");
        fs::create_dir(&bin).unwrap();
        let script = format!(
            "#!/bin/sh\nfor last; do :; done\ncd {} && eval \"exec env -i PATH='$PATH' HOME=/nonexistent git ${{last#git-}}\"\n",
            world.path("repos").display()
        );
        fs::write(bin.join("ssh"), script).unwrap();
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        stage.world().bare = Some(bare.clone());
        stage.world().issues.insert(3, (true, Vec::new()));
        Self { world, stage, bare }
    }

    fn up(&self) -> Up {
        self.world.up_as(|command: &mut Command| {
            let path = std::env::var("PATH").unwrap();
            command.env("PATH", format!("{}:{path}", self.world.path("bin").display()));
            command.env("FORGE_TOKEN", TOKEN);
        })
    }

    /// The head of the pull request, once there is one other than `not`.
    fn head(&self, not: &str) -> &'static str {
        let head = self.world.until("a pull request", || {
            let world = self.stage.world();
            let head = world.pulls.last().map(|p| p.head.clone());
            head.filter(|head| head != not && world.heads.values().any(|h| h == head))
        });
        Box::leak(head.into_boxed_str())
    }
}

fn task(more: &str) -> String {
    section(
        "t",
        &format!("- **Workspace:** ../project\n- **Issue:** #3\n{more}"),
    )
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn done_is_merged_green_and_closed(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let scene = Scene::set(kind, "").await;
    let (world, stage) = (&scene.world, &scene.stage);
    world.worker(
        "t",
        "touch done.txt\ncat > prompt-$ORCHESTRATOR_ATTEMPT.txt\necho $ORCHESTRATOR_ATTEMPT > f.txt",
    );
    world.save_tasks(&[&task("")]);
    let _up = scene.up();
    let first = scene.head("");
    let waits = world.until_task("t", "waits for checks", |t| {
        t["waiting"]["why"]
            .as_str()
            .unwrap_or_default()
            .contains("any check")
    });
    assert_eq!(waits["state"], "validating");
    // A red check goes back to the worker, and its next commit to the same pull request.
    stage.check(first, "ci", "failure");
    let second = scene.head(first);
    stage.check(second, "ci", "success");
    let objection = ReviewRow {
        id: 9,
        author: "ann",
        state: stage.objects(),
        commit: second,
        trusted: true,
        dismissed: false,
        notes: vec![("f.txt", 1, "count further")],
    };
    stage.world().reviews.push(objection.clone());
    let third = scene.head(second);
    stage.check(third, "ci", "success");
    stage.world().reviews.push(ReviewRow {
        id: 10,
        state: "APPROVED",
        commit: third,
        notes: vec![],
        ..objection
    });
    world.until_state("t", "completed");
    world.until_archived("t");
    let forge = stage.world();
    assert_eq!(forge.pulls.len(), 1);
    assert_eq!(
        (forge.pulls[0].state, forge.pulls[0].head.as_str()),
        ("merged", third)
    );
    let (open, comments) = &forge.issues[&3];
    assert!(!open && comments.len() == 1, "{comments:?}");
    assert!(
        !forge.heads.contains_key("orchestrator/t"),
        "its branch is deleted"
    );
    drop(forge);
    let show = |file: &str| world.git(&world.path("project"), &["show", &format!("{third}:{file}")]);
    assert!(
        show("prompt-2.txt").contains("ci (failure)"),
        "{}",
        show("prompt-2.txt")
    );
    assert!(
        show("prompt-3.txt").contains("f.txt:1: count further"),
        "{}",
        show("prompt-3.txt")
    );
    assert!(!world.log().contains(TOKEN) && !world.reports().contains(TOKEN));
    assert!(scene.bare.is_dir());
}

/// Killed at any moment after the push, the next service goes on with the same pull request.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_goes_on_with_its_pull_request() {
    let scene = Scene::set(Kind::GitHub, "").await;
    let world = &scene.world;
    world.worker("t", "touch done.txt");
    world.save_tasks(&[&task("")]);
    let mut up = scene.up();
    let head = scene.head("");
    up.kill();
    scene.stage.check(head, "ci", "success");
    let _up = scene.up();
    world.until_state("t", "completed");
    assert_eq!(scene.stage.world().pulls.len(), 1);
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_never_appears_is_a_persons_business() {
    let scene = Scene::set(Kind::GitHub, "checks = [\"ci/build\"]\npatience = \"300ms\"\n").await;
    let world = &scene.world;
    world.worker("t", "touch done.txt");
    world.save_tasks(&[&task("")]);
    let _up = scene.up();
    let waits = world.until_state("t", "blocked");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(why.contains("never appeared: ci/build"), "{why}");
    assert_eq!(scene.stage.world().pulls[0].state, "open");
}

#[test]
fn without_a_forge_the_task_says_what_is_missing() {
    let world = World::new();
    world.repository("project", &[("f.txt", "one\n")].into());
    world.worker("t", "touch done.txt");
    world.save_tasks(&[&task("- **Landing:** pull-request\n")]);
    world.done(&["tick", "--wait"]);
    let waits = world.task("t");
    assert_eq!(waits["state"], "blocked", "{waits:#}");
    assert!(
        waits["blocked_reason"].as_str().unwrap().contains("[forge]"),
        "{waits:#}"
    );
}

/// With nothing to send there is no pull request to open.
#[tokio::test(flavor = "multi_thread")]
async fn work_that_changes_nothing_opens_no_pull_request() {
    let scene = Scene::set(Kind::GitHub, "").await;
    let world = &scene.world;
    let project = world.path("project");
    fs::write(project.join("done.txt"), "\n").unwrap();
    world.git(&project, &["add", "--all"]);
    world.git(&project, &["commit", "-q", "-m", "done by hand"]);
    world.worker(
        "t",
        "echo '{\"outcome\":\"no_change_needed\",\"reason\":\"it is done\"}' > $ORCHESTRATOR_OUTCOME_FILE",
    );
    world.save_tasks(&[&task("")]);
    let _up = scene.up();
    world.until_state("t", "blocked");
    world.done(&["approve", "t"]);
    world.until_state("t", "completed");
    assert!(scene.stage.world().pulls.is_empty());
}
