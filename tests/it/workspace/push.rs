//! The one push: one commit to one branch, over a lease, past whatever a worker left in a configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator::workspace::{Push, Pushed, Workspace};

use super::world::{World, commit_all, git};

const BRANCH: &str = "orchestrator/t";

struct Scene {
    world: World,
    ws: Workspace,
    remote: PathBuf,
    url: String,
}

impl Scene {
    /// A task with one commit of work, and an empty repository elsewhere.
    async fn new() -> Self {
        let world = World::new();
        let remote = world.path("remote.git");
        fs::create_dir(&remote).unwrap();
        git(&remote, &["init", "-q", "--bare"]);
        let ws = world.prepare("t", "../repo").await.unwrap();
        let url = format!("file://{}", remote.display());
        let scene = Self {
            world,
            ws,
            remote,
            url,
        };
        scene.work("b.txt");
        scene
    }

    fn work(&self, file: &str) -> String {
        fs::write(self.ws.root.join(file), file).unwrap();
        commit_all(&self.ws.root, file)
    }

    async fn push(&self, commit: &str, expect: Option<&str>) -> Pushed {
        let push = self.of(commit, expect);
        self.ws.push(&push, async { true }).await.unwrap()
    }

    fn of<'a>(&'a self, commit: &'a str, expect: Option<&'a str>) -> Push<'a> {
        Push {
            url: &self.url,
            commit,
            branch: BRANCH,
            expect,
            login: None,
        }
    }

    fn heads(&self) -> String {
        git(
            &self.remote,
            &["for-each-ref", "--format=%(refname) %(objectname)"],
        )
    }
}

fn alone(commit: &str) -> String {
    format!("refs/heads/{BRANCH} {commit}")
}

#[tokio::test]
async fn one_commit_and_nothing_else_and_again_is_fine() {
    let scene = Scene::new().await;
    let first = scene.ws.head().await.unwrap();
    git(&scene.ws.root, &["tag", "-a", "v1", "-m", "v1"]);
    assert_eq!(scene.push(&first, None).await, Pushed::Done);
    assert_eq!(scene.heads(), alone(&first));
    // The answer was lost: the same is asked for on the same terms.
    assert_eq!(scene.push(&first, None).await, Pushed::Done);
    let second = scene.work("c.txt");
    assert_eq!(scene.push(&second, Some(&first)).await, Pushed::Done);
    // Back, as after a rework that started over: over the lease alone.
    assert_eq!(scene.push(&first, Some(&second)).await, Pushed::Done);
    assert_eq!(scene.heads(), alone(&first));
    let left = fs::read_dir(scene.world.state("pushes")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_branch_that_somebody_moved_is_left_alone() {
    let scene = Scene::new().await;
    let first = scene.ws.head().await.unwrap();
    let second = scene.work("c.txt");
    let third = scene.work("d.txt");
    scene.push(&second, None).await;
    assert_eq!(scene.push(&third, None).await, Pushed::Moved);
    assert_eq!(scene.push(&third, Some(&first)).await, Pushed::Moved);
    assert_eq!(scene.heads(), alone(&second));
}

#[tokio::test]
async fn who_may_not_any_more_sends_nothing() {
    let scene = Scene::new().await;
    let head = scene.ws.head().await.unwrap();
    let pushed = scene
        .ws
        .push(&scene.of(&head, None), async { false })
        .await
        .unwrap();
    assert_eq!((pushed, scene.heads()), (Pushed::Stale, String::new()));
}

#[tokio::test]
async fn the_other_sides_refusal_is_told() {
    let scene = Scene::new().await;
    hook(
        &scene.remote.join("hooks/pre-receive"),
        "echo no such thing >&2; exit 1",
    );
    let head = scene.ws.head().await.unwrap();
    let Pushed::Refused(words) = scene.push(&head, None).await else {
        panic!()
    };
    assert!(words.contains("pre-receive hook declined"), "{words}");
    assert_eq!(scene.heads(), "");
}

#[tokio::test]
async fn what_is_not_there_is_not_sent() {
    let scene = Scene::new().await;
    let nothing = "0123456789012345678901234567890123456789";
    let error = scene
        .ws
        .push(&scene.of(nothing, None), async { true })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not in"), "{error}");
    fs::remove_dir_all(&scene.remote).unwrap();
    let head = scene.ws.head().await.unwrap();
    scene
        .ws
        .push(&scene.of(&head, None), async { true })
        .await
        .unwrap_err();
}

fn hook(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Everything that a worker can write into the repository's configuration and hooks leads nowhere.
#[tokio::test]
async fn nothing_that_a_worker_configured_is_obeyed() {
    let scene = Scene::new().await;
    let (repo, trap) = (scene.world.path("repo"), scene.world.path("trap.git"));
    fs::create_dir(&trap).unwrap();
    git(&trap, &["init", "-q", "--bare"]);
    let ran = scene.world.path("ran");
    let touch = format!("touch {}", ran.display());
    hook(&repo.join(".git/hooks/pre-push"), &touch);
    hook(&scene.world.path("hooks/pre-push"), &touch);
    let hooks = scene.world.path("hooks").display().to_string();
    for (key, value) in [
        (
            format!("url.file://{}.insteadOf", trap.display()),
            scene.url.clone(),
        ),
        (
            format!("url.file://{}.pushInsteadOf", trap.display()),
            scene.url.clone(),
        ),
        ("core.hooksPath".to_owned(), hooks),
        ("core.sshCommand".to_owned(), touch.clone()),
        ("credential.helper".to_owned(), format!("!{touch}")),
        ("push.followTags".to_owned(), "true".to_owned()),
        ("remote.pushDefault".to_owned(), trap.display().to_string()),
        ("push.gpgSign".to_owned(), "true".to_owned()),
    ] {
        git(&repo, &["config", "--add", &key, &value]);
    }
    git(&scene.ws.root, &["tag", "-a", "v1", "-m", "v1"]);
    let head = scene.ws.head().await.unwrap();
    assert_eq!(scene.push(&head, None).await, Pushed::Done);
    assert_eq!(scene.heads(), alone(&head));
    assert_eq!(git(&trap, &["for-each-ref"]), "");
    assert!(!ran.exists());
}
