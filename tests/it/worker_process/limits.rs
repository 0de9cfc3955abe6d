//! What a worker may take: memory, processes, files, disk, output. Each was seen to fail with its control taken out, as
//! said beside it.

use super::*;

impl Attempt {
    /// What `supervisor.json` says of the attempt's control group.
    fn group(&self) -> serde_json::Value {
        let text = fs::read(self.dir().join(file::SUPERVISOR)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["group"].clone()
    }

    fn group_folders(&self) -> Vec<PathBuf> {
        let branches = self.group()["branches"].as_array().unwrap().clone();
        let path = |branch: &serde_json::Value| branch["path"].as_str().unwrap().into();
        branches.iter().map(path).collect()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.dir().join(file::STDERR)).unwrap()
    }
}

/// Seen to fail with `memory_bytes` left at none: it exits with 0.
#[tokio::test]
async fn a_memory_hog_is_ended_and_the_reason_is_named() {
    // One line of zeros, which has to be held as a whole.
    let mut attempt = Attempt::sh("head -c 300000000 /dev/zero | sort --output=/dev/null");
    attempt.spec.limits.memory_bytes = Some(64 << 20);
    let exit = attempt.run().await;
    if attempt.group()["limits_memory"] == true {
        assert_eq!(
            exit.cause,
            Cause::OutOfMemory {
                limit: Some(64 << 20)
            }
        );
        assert_eq!(
            exit.phrase(),
            "ran out of memory at its limit of 64 MiB (limits.memory)"
        );
    } else {
        // The limit on data makes the allocation fail.
        assert!(exit.code().is_some_and(|code| code != 0), "{exit:?}");
    }
}

/// Whether processes are limited here: the system holds root to no limit but a group's.
fn are_processes_limited(attempt: &Attempt) -> bool {
    attempt.group()["limits_processes"] == true || !nix::unistd::Uid::effective().is_root()
}

/// Seen to fail with `processes` left at none: it starts all 300 and waits for them.
#[tokio::test]
async fn nobody_starts_more_processes_than_the_limit() {
    let mut attempt = Attempt::sh("for i in $(seq 300); do sleep 1000 & echo $! >> pids; done; wait");
    attempt.spec.limits.processes = Some(40);
    attempt.spec.timeout = Duration::from_secs(10);
    let exit = attempt.run().await;
    if !are_processes_limited(&attempt) {
        return;
    }
    assert_eq!(exit.cause, Cause::Exited, "{exit:?}");
    assert!(
        attempt.stderr().to_lowercase().contains("fork"),
        "{}",
        attempt.stderr()
    );
    assert_eq!(living(attempt.await_pids(1)), Vec::<i32>::new());
}

/// Seen to fail with a single round of killing and without the step before it in which nobody may start anybody; with that
/// step a single round is enough.
#[tokio::test]
async fn a_fork_bomb_does_not_outrun_the_killing() {
    let mut attempt = Attempt::sh("sh bomb");
    // Each starts two others and one for itself before it ends; a trap keeps the polite signal out.
    let bomb =
        "trap '' TERM; echo $$ >> pids; while :; do sh bomb & (setsid sh bomb &); wait; done 2>/dev/null";
    fs::write(attempt.in_workspace("bomb"), bomb).unwrap();
    attempt.spec.limits.processes = Some(200);
    let running = attempt.start().await;
    if !are_processes_limited(&attempt) {
        running.kill_now().unwrap();
        finish(&running).await;
        return;
    }
    let family = attempt.await_pids(100);
    let asked = Instant::now();
    running.request_stop(Duration::from_millis(200)).unwrap();
    finish(&running).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

/// Seen to fail with `file_bytes` left at none.
#[tokio::test]
async fn limits_hold_for_its_children_too() {
    let mut attempt =
        Attempt::sh("sh -c 'ulimit -f; head -c 2000000 /dev/zero > big; ls -l big | cut -d\" \" -f5'");
    attempt.spec.limits.file_bytes = Some(1 << 20);
    attempt.run().await;
    let told = attempt.stdout();
    assert_eq!(told.split_whitespace().last(), Some("1048576"), "{told}");
}

/// Seen to fail with `disk_bytes` left at none: it ends by its timeout.
#[tokio::test]
async fn a_workspace_does_not_grow_without_end() {
    for fill in [
        "head -c 3000000 /dev/urandom > one",
        "for i in $(seq 3000); do : > $i; done",
    ] {
        let mut attempt = Attempt::sh(&format!("{fill}; sleep 1000"));
        attempt.spec.limits.disk_bytes = Some(2 << 20);
        attempt.spec.timeout = Duration::from_secs(10);
        let exit = attempt.run().await;
        assert_eq!(exit.cause, Cause::DiskLimit { limit: 2 << 20 }, "{fill}");
        assert_eq!(exit.phrase(), "its workspace grew beyond 2 MiB (limits.disk)");
    }
}

/// Seen to fail with the rate taken out of the pump: it takes some milliseconds.
#[tokio::test]
async fn a_flood_of_output_has_to_wait_and_loses_nothing() {
    let mut attempt = Attempt::of(&["head", "-c", "3000000", "/dev/zero"]);
    attempt.spec.limits.output_rate = 1_000_000;
    let begun = Instant::now();
    let exit = attempt.run().await;
    let took = begun.elapsed();
    assert_eq!(exit.code(), Some(0));
    assert_eq!(attempt.stdout().len(), 3_000_000);
    // A second's worth comes at once, and what its pipe holds at its end.
    assert!(took > Duration::from_millis(1700), "{took:?}");
}

/// Seen to fail with the limit looked at from time to time instead of by the pump.
#[tokio::test]
async fn not_a_byte_beyond_the_output_limit_is_kept() {
    let mut attempt = Attempt::sh("yes & yes >&2 & wait");
    attempt.spec.limits.output_bytes = 1 << 20;
    let exit = attempt.run().await;
    assert_eq!(exit.cause, Cause::OutputLimit { limit: 1 << 20 });
    assert_eq!(exit.phrase(), "wrote more than 1 MiB of output");
    assert_eq!(attempt.stdout().len() + attempt.stderr().len(), 1 << 20);
}

/// Seen to fail without the last look into the pipes (the first one).
#[tokio::test]
async fn the_last_words_of_a_worker_are_kept() {
    // While its pipe rests after a first word; and more than a pipe holds, with a child that holds it on.
    for (script, bytes) in [
        ("printf word; head -c 50000 /dev/zero; printf end", 50_007),
        ("sleep 1000 & head -c 300000 /dev/zero; printf end", 300_003),
    ] {
        let attempt = Attempt::sh(&format!("{script}; kill -9 $$"));
        assert_eq!(attempt.run().await.status, Some(Status::Signal(9)));
        let told = attempt.stdout();
        assert_eq!((told.len(), told.ends_with("end")), (bytes, true), "{script}");
    }
}

/// Seen to fail without the control group: nothing else leads to the stray.
#[tokio::test]
async fn the_group_finds_who_left_the_tree_and_wiped_the_environment() {
    let attempt = Attempt::sh(
        "(env -i PATH=\"$PATH\" setsid sh -c 'echo $$ >> pids; sleep 1000; :' &); echo $$ >> pids; sleep 1000; :",
    );
    let running = attempt.start().await;
    let family = attempt.await_pids(2);
    if attempt.group_folders().is_empty() {
        running.kill_now().unwrap();
        finish(&running).await;
        return;
    }
    let supervisor = nix::unistd::Pid::from_raw(running.supervisor().pid);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(finish(&running).await.cause, Cause::Vanished);
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
    assert!(attempt.group_folders().iter().all(|folder| !folder.exists()));
}

/// Seen to fail without the sweep: the group of the dead supervisor stayed.
#[tokio::test]
async fn groups_go_with_their_attempt_and_those_left_behind_are_swept() {
    let attempt = Attempt::sh("exit 0");
    attempt.run().await;
    for folder in attempt.group_folders() {
        assert!(!folder.exists(), "{}", folder.display());
        // As a supervisor leaves one that is killed; no process of this boot has this number and start.
        let left = folder.with_file_name("orchestrator-1-1");
        let foreign = folder.with_file_name(format!("not-ours-{}", std::process::id()));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&foreign).unwrap();
        orchestrator::runtime::process::sweep_groups();
        assert!(!left.exists(), "{}", left.display());
        assert!(foreign.exists(), "{}", foreign.display());
        fs::remove_dir(foreign).unwrap();
    }
}
