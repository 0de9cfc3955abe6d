//! The processes of a cell: they hear a stop, they end with it, and they are nobody's superior.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use orchestrator::runtime::Launch;
use orchestrator::runtime::process::{Cause, Limits, Running, Spec, start};
use orchestrator::sandbox::Choice;
use rstest::rstest;

use super::rig::{Rig, processes};
use crate::main_job::world::EXE;

pub fn until(what: &str, look: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !look() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a script in a cell under a supervisor of its own.
async fn supervised(rig: &Rig, script: &str) -> Running {
    let command = tokio::task::block_in_place(|| rig.wrapped(script));
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
    start(EXE.as_ref(), &spec).await.unwrap()
}

/// Seen to fail with `hold_out` taken out of `__contained` (the cell dies before the worker is done), and with
/// `hear_again` taken out of `__inside` (bubblewrap: the worker never hears).
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_the_worker_its_grace(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let rig = tokio::task::block_in_place(|| Rig::new(choice));
    let script = "trap 'echo closing > end; i=0; while [ $i -lt 20 ]; do i=$((i+1)); sleep 0.02; done; echo closed >> end; exit 3' TERM
        echo ready > begin; while :; do sleep 0.05; done";
    let running = supervised(&rig, script).await;
    tokio::task::block_in_place(|| until("it is ready", || rig.path("workspace/begin").exists()));
    running.request_stop(Duration::from_secs(15)).unwrap();
    let exit = running.wait().await;
    assert_eq!(exit.cause, Cause::Stopped, "{exit:?}");
    assert_eq!(
        std::fs::read_to_string(rig.path("workspace/end")).unwrap(),
        "closing\nclosed\n"
    );
    assert_eq!(exit.status, Some(orchestrator::runtime::process::Status::Code(3)));
}

/// Seen to fail with `--unshare-pid` taken out.
#[test]
fn who_left_its_session_ends_with_the_cell() {
    let rig = Rig::new(Choice::Bubblewrap);
    let word = format!("86{}", std::process::id());
    let ran = rig.run(&format!(
        "setsid sh -c 'sleep {word} & sleep {word} &' ; (setsid nohup sleep {word} >/dev/null 2>&1 &) ; sleep 0.1; echo done"
    ));
    assert_eq!((ran.code, ran.out.as_str()), (0, "done\n"), "{ran:?}");
    until("they are gone", || processes(&word).is_empty());
}

/// The proxy dies in the middle. Seen to fail with `--die-with-parent` taken out (bubblewrap) and with the death
/// signal taken out of `__inside` (landlock).
#[rstest]
fn a_cell_ends_with_its_proxy(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let rig = Rig::new(choice);
    let word = format!("87{}", std::process::id());
    let mut child = rig
        .command(&format!("echo ready > begin; exec sleep {word}"))
        .spawn()
        .unwrap();
    until("it runs", || {
        rig.path("workspace/begin").exists() && !processes(&word).is_empty()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    until("it is gone", || processes(&word).is_empty());
}

#[rstest]
fn the_exit_code_is_the_workers(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let rig = Rig::new(choice);
    for code in [0, 1, 75, 77] {
        assert_eq!(rig.run(&format!("exit {code}")).code, code);
    }
    assert_eq!(rig.run("kill -9 $$").code, 128 + 9);
}

/// Seen to fail with the filter and (for the last two) the capabilities left.
#[rstest]
fn no_new_rights_are_had(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let rig = Rig::new(choice);
    for script in [
        "unshare -Ur true",
        "mount -t tmpfs x .",
        "bwrap --ro-bind / / true",
        "kill -0 1 && kill -0 2 && test $(id -u) = 0",
    ] {
        assert_ne!(rig.run(script).code, 0, "{script}");
    }
    let status = rig
        .run("grep -E '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status")
        .out;
    let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(":\t")).collect();
    assert_eq!(fields["CapEff"], "0000000000000000", "{status}");
    assert_eq!(fields["CapPrm"], "0000000000000000", "{status}");
    assert_eq!((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"), "{status}");
}
