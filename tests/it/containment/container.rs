//! Containers by a Podman of the test's own, and what is told when an engine does not do what it should.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use orchestrator::runtime::Launch;
use orchestrator::runtime::process::{Cause, Limits, Spec, Status, start};
use orchestrator::sandbox::{self, Refused};

use super::engine::{IMAGE, Podman, fake};
use super::life::until;
use super::rig::{Rig, SECRET, processes, shown};
use crate::main_job::world::{EXE, World, section};

fn refusal(rig: &Rig) -> String {
    rig.probe(OsStr::new("")).unwrap_err().to_string()
}

fn sweep(rig: &Rig) -> Result<(), Refused> {
    wait_for(rig.tier(OsStr::new("")).sweep(&rig.cell.folder))
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// The probe alone refuses a cell that can be read or written past its lists; here the lists themselves are tried.
/// Seen to fail with the cell's surroundings and home among the mounts, and all of them to be written (`spec::mounts`; without
/// the probe, which refuses it).
#[test]
fn a_container_holds_its_cell() {
    let Some(podman) = Podman::start() else { return };
    let mut rig = Rig::housed(&podman.socket);
    let top = rig.path("workspace");
    fs::create_dir_all(rig.path("seen/kept")).unwrap();
    fs::create_dir_all(top.join(".git")).unwrap();
    for file in ["seen/file", "seen/kept/secret", "workspace/.git/config"] {
        fs::write(rig.path(file), SECRET).unwrap();
    }
    rig.cell.read = vec![rig.path("seen"), "/usr/bin/cat".into()];
    rig.cell.hidden.push(rig.path("seen/kept"));
    (rig.cell.frozen, rig.cell.barren) = sandbox::git_folder(&top.join(".git"));
    let at = |name: &str| shown(&rig.path(name));
    let secrets = [
        "home/.ssh/id_ed25519",
        "seen/kept/secret",
        "attempt/stdin",
        "attempt/cell.json",
    ];
    for (path, said) in secrets
        .iter()
        .zip(rig.run_each(&secrets.map(|path| format!("cat {}", at(path)))))
    {
        assert!(said.0 != 0 && said.1.is_empty(), "{path}: {said:?}");
    }
    let kept = [
        "seen/file",
        "attempt/exit.json",
        "workspace/.git/config",
        "workspace/.git/hooks/pre-commit",
    ];
    let before = kept.map(|path| fs::read(rig.path(path)).ok());
    // Beside what is mounted lies the container's own scratch folder, which may be written.
    let said = rig.run_each(&kept.map(|path| format!("echo x > {}", at(path))));
    for (path, before) in kept.iter().zip(before) {
        assert_eq!(fs::read(rig.path(path)).ok(), before, "{path}: {said:?}");
    }
    let ran = rig.run(&format!(
        "cat {} && echo mine > file && echo kept > ~/own && pwd && echo loud >&2; echo x > /etc/x || echo held",
        at("seen/file")
    ));
    assert_eq!(ran.out, format!("{SECRET}{}\nheld\n", at("workspace")), "{ran:?}");
    assert!(ran.err.contains("loud"), "{ran:?}");
    assert_eq!(fs::read_to_string(rig.path("private/own")).unwrap(), "kept\n");
    for code in [0, 3, 77] {
        assert_eq!(rig.run(&format!("exit {code}")).code, code);
    }
    assert_eq!(rig.run("kill -9 $$").code, 128 + 9);
    assert_eq!(podman.containers(), "", "none is left");
}

/// Seen to fail with `cap_drop` taken out of the request, and the capabilities left by the first process: both hold by themselves.
#[test]
fn a_container_gives_no_rights() {
    let Some(podman) = Podman::start() else { return };
    let rig = Rig::housed(&podman.socket);
    let status = rig
        .run("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status")
        .out;
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{status}");
    }
}

/// Seen to fail with the first process living on when its line ends (`first::obey`).
#[test]
fn a_container_ends_with_whoever_started_it_and_is_swept() {
    let Some(podman) = Podman::start() else { return };
    let rig = Rig::housed(&podman.socket);
    let word = format!("88{}", std::process::id());
    let script = format!("echo ready > begin; setsid sleep {word} & exec sleep {word}");
    let mut child = rig.command(&script).spawn().unwrap();
    until("it runs", || processes(&word).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    until("it is gone", || processes(&word).is_empty());
    assert_ne!(podman.containers(), "", "what is left is found by its label");
    sweep(&rig).unwrap();
    assert_eq!(podman.containers(), "");
    sweep(&rig).unwrap();
}

/// Seen to fail with the word unheard in `first::obey`: it was killed after its grace.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reaches_the_worker_in_its_container() {
    let Some(podman) = tokio::task::block_in_place(Podman::start) else {
        return;
    };
    let rig = Rig::housed(&podman.socket);
    let script = "trap 'echo closing > end; sleep 0.3; echo closed >> end; exit 3' TERM
        echo ready > begin; while :; do sleep 0.05; done";
    let probed = rig.tier(OsStr::new("")).probe(&rig.cell).await.unwrap();
    let command = sandbox::Command {
        argv: ["sh", "-c", script].map(Into::into).to_vec(),
        env: Default::default(),
    };
    let command = rig
        .tier(OsStr::new(""))
        .wrap(command, &rig.cell, &probed)
        .unwrap();
    let spec = Spec {
        attempt_dir: rig.cell.folder.clone(),
        launch: Launch {
            argv: command.argv,
            env: command.env,
            stdin: Vec::new(),
            cwd: rig.cell.workspace.clone(),
        },
        prompt: String::new(),
        timeout: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        limits: Limits::default(),
        lease: None,
        key: uuid::Uuid::new_v4().to_string(),
    };
    let running = start(EXE.as_ref(), &spec).await.unwrap();
    tokio::task::block_in_place(|| until("it is ready", || rig.path("workspace/begin").exists()));
    running.request_stop(Duration::from_secs(15)).unwrap();
    let exit = running.wait().await;
    assert_eq!((exit.cause, exit.status), (Cause::Stopped, Some(Status::Code(3))));
    assert_eq!(
        fs::read_to_string(rig.path("workspace/end")).unwrap(),
        "closing\nclosed\n"
    );
}

/// The engine is told to kill it in the middle: the worker's end is told as what it was.
/// Seen to fail with an end without a word taken for a good one (`Made::live`).
#[test]
fn a_container_that_is_killed_is_told() {
    let Some(podman) = Podman::start() else { return };
    let rig = Rig::housed(&podman.socket);
    let mut command = rig.command("echo ready > begin; exec sleep 60");
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("it runs", || rig.path("workspace/begin").exists());
    podman.done(&["kill", "--all"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 9));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("ended from outside"), "{told}");
    assert_eq!(podman.containers(), "");
}

/// Seen to fail with the look for an image's name taken out of `Container::tried`.
#[test]
fn an_image_that_does_not_fit_is_refused() {
    let Some(podman) = Podman::start() else { return };
    podman.import_empty("empty");
    let mut rig = Rig::housed(&podman.socket);
    for (image, reason) in [
        ("empty", "this program cannot be run in the image"),
        ("nobody-has-this", "has no image 'nobody-has-this'"),
        ("", "no image is named"),
    ] {
        rig.house.as_mut().unwrap().image = image.to_owned();
        let told = refusal(&rig);
        assert!(
            told.starts_with("sandbox: container: ") && told.contains(reason),
            "{told}"
        );
    }
    assert_eq!(podman.containers(), "");
    rig.house.as_mut().unwrap().image = IMAGE.to_owned();
    rig.cell.write.push(rig.path("a,b"));
    let told = refusal(&rig);
    assert!(told.contains("a comma"), "{told}");
}

/// Seen to fail with what the engine says dropped in `Container::sweep`.
#[test]
fn an_engine_that_says_no_is_told() {
    let mut rig = Rig::housed(Path::new("/nowhere.sock"));
    let told = refusal(&rig);
    assert!(told.contains("does not answer at /nowhere.sock"), "{told}");
    for (status, message) in [
        (409, "name in use"),
        (500, "no space left on device"),
        (404, "no such image"),
    ] {
        let (folder, socket) = fake(status, message);
        rig.house.as_mut().unwrap().socket = socket;
        let told = refusal(&rig);
        let reason = if status == 404 { "has no image" } else { message };
        assert!(told.contains(reason), "{status}: {told}");
        let swept = sweep(&rig);
        assert!(
            swept.is_err(),
            "what is not known to be gone is not taken for gone"
        );
        drop(folder);
    }
}

/// The whole way.
#[test]
fn a_task_is_done_in_a_container() {
    let Some(podman) = Podman::start() else { return };
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "kind = \"command\"\n",
        "kind = \"command\"\ncontainment = \"container\"\n",
    );
    let more = format!(
        "[containment]\nread = [{:?}]\n[containment.container]\nsocket = {:?}\nimage = \"{IMAGE}\"\n",
        shown(&world.root().join("workers")),
        shown(&podman.socket)
    );
    fs::write(&config, text + &*more).unwrap();
    world.worker(
        "work",
        "orchestrator agent log 'Worked in a container.'; echo x > done.txt",
    );
    world.save_tasks(&[&section("work", "")]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
    let show = world.done(&["show", "work", "--json"]).json();
    assert_eq!(
        show["task"]["attempts"][0]["containment"]["tier"], "container",
        "{show}"
    );
    let told = world.run(&["doctor"]).out;
    assert!(told.contains("container, by the image"), "{told}");
    assert_eq!(podman.containers(), "");
}
