//! Finding a worker again, and knowing that one is gone.

use super::*;

/// Run by the next test, as a program of its own.
#[tokio::test]
#[ignore = "it is the starter of a_worker_outlives_its_starter"]
async fn starter() {
    let dir = PathBuf::from(std::env::var_os("STARTER_DIR").unwrap());
    let mut attempt =
        Attempt::sh("echo $$ >> pids; while [ ! -e go ]; do sleep 0.01; done; echo went on; exit 4");
    attempt.spec.attempt_dir = dir.join("attempt");
    attempt.spec.launch.cwd = dir;
    attempt.start().await;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_worker_outlives_its_starter() {
    let mut attempt = Attempt::sh("");
    let dir = attempt.spec.launch.cwd.clone();
    attempt.spec.attempt_dir = dir.join("attempt");
    let starter = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker_process::adopt::starter", "--ignored"])
        .env("STARTER_DIR", &dir)
        .output()
        .unwrap();
    assert!(!starter.status.success(), "it was to be killed");
    let Adopted::Running(running) = adopt(attempt.dir()).unwrap() else {
        panic!(
            "it is to be running: {}",
            String::from_utf8_lossy(&starter.stdout)
        );
    };
    assert_eq!(attempt.await_pids(1), [running.worker().pid]);
    assert!(
        matches!(confirm_dead(attempt.dir()).unwrap(), Death::StillAlive(pids) if pids.contains(&running.worker().pid))
    );
    fs::write(attempt.in_workspace("go"), "").unwrap();
    assert_eq!(finish(&running).await.code(), Some(4));
    assert_eq!(attempt.stdout(), "went on\n");
}

/// Seen to fail without the death signal (the worker), and without the scan for the key (the stray).
#[tokio::test]
async fn nobody_outlives_a_killed_supervisor() {
    let attempt =
        Attempt::sh("setsid sh -c 'echo $$ >> pids; sleep 1000; :' & echo $$ >> pids; sleep 1000; :");
    let running = attempt.start().await;
    let family = attempt.await_pids(2);
    let supervisor = nix::unistd::Pid::from_raw(running.supervisor().pid);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    until(|| (!running.is_alive()).then_some(()));
    until(|| (!is_alive(running.worker().pid)).then_some(()));
    assert!(matches!(adopt(attempt.dir()).unwrap(), Adopted::Vanished));
    assert!(matches!(
        confirm_dead(attempt.dir()).unwrap(),
        Death::StillAlive(_)
    ));
    let exit = finish(&running).await;
    assert_eq!(exit.cause, Cause::Vanished);
    assert!(
        exit.stragglers_killed >= 2,
        "the stray and its sleep: {}",
        exit.stragglers_killed
    );
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

#[tokio::test]
async fn a_frozen_supervisor_does_not_save_its_worker() {
    let attempt = Attempt::sh("echo $$ >> pids; sleep 1000; :");
    let running = attempt.start().await;
    let family = attempt.await_pids(1);
    let supervisor = nix::unistd::Pid::from_raw(running.supervisor().pid);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let dir = attempt.dir().to_owned();
    let killed = tokio::task::spawn_blocking(move || kill_strays(&dir, Duration::from_secs(2)))
        .await
        .unwrap()
        .unwrap();
    assert!(killed >= 2, "{killed}");
    assert!(family.into_iter().all(|pid| !is_alive(pid)));
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

#[tokio::test]
async fn another_process_with_the_number_is_never_taken_for_ours() {
    let attempt = Attempt::sh("exit 0");
    attempt.run().await;
    fs::remove_file(attempt.dir().join(file::EXIT)).unwrap();
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let true_identity = orchestrator::runtime::process::Identity::of(stranger.id() as i32).unwrap();
    for (start_time, boot_id) in [
        (true_identity.start_time + 1, true_identity.boot_id.0.as_str()),
        (true_identity.start_time, "another-boot"),
    ] {
        attempt.rewrite_registration(|value| {
            for who in ["supervisor", "worker"] {
                value[who] =
                    serde_json::json!({ "pid": stranger.id(), "start_time": start_time, "boot_id": boot_id });
            }
        });
        assert!(matches!(adopt(attempt.dir()).unwrap(), Adopted::Vanished));
        assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
        assert_eq!(kill_strays(attempt.dir(), Duration::from_secs(1)).unwrap(), 0);
        assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
