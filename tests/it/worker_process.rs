//! A worker's process tree: started, adopted, stopped, and gone, whatever it does to stay.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::EndKind;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::command::{Command, Options};
use orchestrator::runtime::{Brief, Launch, OutcomeFile, Runtime};
use orchestrator::runtime::process::{
    Adopted, Cause, Death, Exit, Limits, Running, Spec, StartError, Status, adopt, confirm_dead, file, kill_strays, start,
};

const EXE: &str = env!("CARGO_BIN_EXE_orchestrator");

/// One attempt in a folder of its own; whatever it started is killed with it.
struct Attempt {
    _folder: tempfile::TempDir,
    spec: Spec,
}

impl Attempt {
    fn of(argv: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        let env = [("PATH", std::env::var_os("PATH").unwrap())];
        let spec = Spec {
            attempt_dir: folder.path().join("attempt"),
            launch: Launch {
                argv: argv.iter().map(OsString::from).collect(),
                env: env.into_iter().map(|(k, v)| (k.into(), v)).collect(),
                stdin: Vec::new(),
                cwd: workspace,
            },
            prompt: "the prompt".to_owned(),
            timeout: Duration::from_secs(60),
            grace: Duration::from_millis(100),
            limits: Limits::default(),
            key: format!("test-{:x}", unguessed()),
        };
        Self { _folder: folder, spec }
    }

    fn sh(script: &str) -> Self {
        Self::of(&["sh", "-c", script])
    }

    fn dir(&self) -> &Path {
        &self.spec.attempt_dir
    }

    fn in_workspace(&self, name: &str) -> PathBuf {
        self.spec.launch.cwd.join(name)
    }

    async fn start(&self) -> Running {
        start(Path::new(EXE), &self.spec).await.unwrap()
    }

    async fn run(&self) -> Exit {
        finish(&self.start().await).await
    }

    fn stdout(&self) -> String {
        fs::read_to_string(self.dir().join(file::STDOUT)).unwrap()
    }

    /// Waits until this many processes have written their number to the file `pids` in the workspace.
    fn await_pids(&self, n: usize) -> Vec<i32> {
        let path = self.in_workspace("pids");
        until(|| {
            let text = fs::read_to_string(&path).ok()?;
            let found: Vec<i32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
            (text.ends_with('\n') && found.len() >= n).then_some(found)
        })
    }

    fn rewrite_registration(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.dir().join(file::SUPERVISOR);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let _ = kill_strays(self.dir(), Duration::from_secs(5));
    }
}

fn unguessed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Polls until there is an answer, for ten seconds at most.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come in ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn finish(running: &Running) -> Exit {
    tokio::time::timeout(Duration::from_secs(20), running.wait()).await.expect("it ends in time")
}

fn is_alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X'])
}

fn living(pids: Vec<i32>) -> Vec<i32> {
    pids.into_iter().filter(|pid| is_alive(*pid)).collect()
}

#[tokio::test]
async fn it_runs_and_its_end_is_written_down() {
    let attempt = Attempt::sh("echo out; echo err >&2; exit 7");
    let exit = attempt.run().await;
    assert_eq!((exit.cause.clone(), exit.status), (Cause::Exited, Some(Status::Code(7))));
    assert_eq!(exit.code(), Some(7));
    assert_eq!(attempt.stdout(), "out\n");
    assert_eq!(fs::read_to_string(attempt.dir().join(file::STDERR)).unwrap(), "err\n");
    assert_eq!(fs::read_to_string(attempt.dir().join(file::PROMPT)).unwrap(), "the prompt");
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
    assert!(matches!(adopt(attempt.dir()).unwrap(), Adopted::Ended(again) if again == exit));
}

#[tokio::test]
async fn a_prompt_of_any_size_arrives_whole() {
    let mut attempt = Attempt::sh("sha256sum | cut -d' ' -f1");
    attempt.spec.launch.stdin = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let expected = {
        use sha2::Digest;
        sha2::Sha256::digest(&attempt.spec.launch.stdin).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    assert_eq!(attempt.run().await.code(), Some(0));
    assert_eq!(attempt.stdout().trim(), expected);
}

#[tokio::test]
async fn it_starts_with_a_clean_slate() {
    let attempt = Attempt::sh("ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -c; pwd");
    attempt.run().await;
    let told = attempt.stdout();
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    let zero = "0000000000000000";
    // Descriptor 3 is the listing's own.
    assert_eq!(lines[0], format!("0 1 2 3 SigBlk:\t{zero}"));
    // 32 and up are the C library's own business.
    let ignored = u64::from_str_radix(lines[1].trim_start_matches("SigIgn:\t"), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0);
    assert_eq!(&lines[2..], ["0", attempt.spec.launch.cwd.to_str().unwrap()]);
}

/// Seen to fail without the subreaper, with signals to the process group alone, and with one round of killing alone.
#[tokio::test]
async fn a_kill_leaves_nobody() {
    let attempt = Attempt::sh(
        "setsid sh stub & (setsid sh stub &); (env -i PATH=\"$PATH\" setsid sh stub &); (nohup sh stub >/dev/null &); exec sh stub",
    );
    let stubborn = "trap '' TERM INT HUP; echo $$ >> pids; while :; do sleep 0.05; done";
    fs::write(attempt.in_workspace("stub"), stubborn).unwrap();
    let running = attempt.start().await;
    let family = attempt.await_pids(5);
    let asked = Instant::now();
    running.request_stop(Duration::from_millis(200)).unwrap();
    let exit = finish(&running).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(exit.cause, Cause::Stopped);
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

#[tokio::test]
async fn a_polite_worker_may_close_its_work() {
    let attempt = Attempt::sh("trap 'echo bye; exit 3' TERM; echo $$ >> pids; while :; do sleep 0.02; done");
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(30)).unwrap();
    let exit = finish(&running).await;
    assert_eq!((exit.cause, exit.status), (Cause::Stopped, Some(Status::Code(3))));
    assert_eq!(attempt.stdout(), "bye\n");
}

#[tokio::test]
async fn the_grace_is_for_the_whole_tree() {
    let attempt = Attempt::sh("(trap 'echo closed; exit' TERM; echo $$ >> pids; while :; do sleep 0.02; done) & wait");
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(30)).unwrap();
    finish(&running).await;
    assert_eq!(attempt.stdout(), "closed\n");
}

#[tokio::test]
async fn asking_again_makes_it_at_once() {
    let attempt = Attempt::sh("trap '' TERM; echo $$ >> pids; while :; do sleep 0.02; done");
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(3600)).unwrap();
    until(|| attempt.dir().join(file::STOP).exists().then_some(()));
    running.kill_now().unwrap();
    assert_eq!(finish(&running).await.status, Some(Status::Signal(9)));
}

#[tokio::test]
async fn what_a_worker_leaves_behind_goes_with_it() {
    let attempt = Attempt::sh("setsid sh -c 'echo $$ >> pids; exec sleep 1000' & while [ ! -s pids ]; do sleep 0.01; done; exit 0");
    let exit = attempt.run().await;
    assert_eq!(exit.code(), Some(0));
    assert_eq!(exit.stragglers_killed, 1);
    assert!(attempt.await_pids(1).into_iter().all(|pid| !is_alive(pid)));
}

/// Run by the next test, as a program of its own.
#[tokio::test]
#[ignore = "it is the starter of a_worker_outlives_its_starter"]
async fn starter() {
    let dir = PathBuf::from(std::env::var_os("STARTER_DIR").unwrap());
    let mut attempt = Attempt::sh("echo $$ >> pids; while [ ! -e go ]; do sleep 0.01; done; echo went on; exit 4");
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
        .args(["--exact", "worker_process::starter", "--ignored"])
        .env("STARTER_DIR", &dir)
        .output()
        .unwrap();
    assert!(!starter.status.success(), "it was to be killed");
    let Adopted::Running(running) = adopt(attempt.dir()).unwrap() else {
        panic!("it is to be running: {}", String::from_utf8_lossy(&starter.stdout));
    };
    assert_eq!(attempt.await_pids(1), [running.worker().pid]);
    assert!(matches!(confirm_dead(attempt.dir()).unwrap(), Death::StillAlive(pids) if pids.contains(&running.worker().pid)));
    fs::write(attempt.in_workspace("go"), "").unwrap();
    assert_eq!(finish(&running).await.code(), Some(4));
    assert_eq!(attempt.stdout(), "went on\n");
}

/// Seen to fail without the death signal (the worker), and without the scan for the key (the stray).
#[tokio::test]
async fn nobody_outlives_a_killed_supervisor() {
    let attempt = Attempt::sh("setsid sh -c 'echo $$ >> pids; sleep 1000; :' & echo $$ >> pids; sleep 1000; :");
    let running = attempt.start().await;
    let family = attempt.await_pids(2);
    let supervisor = nix::unistd::Pid::from_raw(running.supervisor().pid);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    until(|| (!running.is_alive()).then_some(()));
    until(|| (!is_alive(running.worker().pid)).then_some(()));
    assert!(matches!(adopt(attempt.dir()).unwrap(), Adopted::Vanished));
    assert!(matches!(confirm_dead(attempt.dir()).unwrap(), Death::StillAlive(_)));
    let exit = finish(&running).await;
    assert_eq!(exit.cause, Cause::Vanished);
    assert!(exit.stragglers_killed >= 2, "the stray and its sleep: {}", exit.stragglers_killed);
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
    let killed = tokio::task::spawn_blocking(move || kill_strays(&dir, Duration::from_secs(2))).await.unwrap().unwrap();
    assert!(killed >= 2, "{killed}");
    assert!(family.into_iter().all(|pid| !is_alive(pid)));
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

#[tokio::test]
async fn it_ends_at_its_timeout() {
    let mut attempt = Attempt::sh("trap '' TERM; while :; do sleep 0.02; done");
    attempt.spec.timeout = Duration::from_millis(150);
    let began = Instant::now();
    assert_eq!(attempt.run().await.cause, Cause::Timeout);
    assert!(began.elapsed() >= Duration::from_millis(250), "its grace is part of it");
}

#[tokio::test]
async fn it_ends_at_its_output_limit() {
    let mut attempt = Attempt::of(&["yes"]);
    attempt.spec.limits.output_bytes = 1 << 20;
    let exit = attempt.run().await;
    assert_eq!(exit.cause, Cause::OutputLimit { limit: 1 << 20 });
    assert_eq!(exit.phrase(), "wrote more than 1 MiB of output");
}

#[tokio::test]
async fn limits_hold_for_its_children_too() {
    let mut attempt = Attempt::sh("sh -c 'ulimit -f; head -c 2000000 /dev/zero > big; ls -l big | cut -d\" \" -f5'");
    attempt.spec.limits.file_bytes = Some(1 << 20);
    attempt.run().await;
    let told = attempt.stdout();
    assert_eq!(told.split_whitespace().last(), Some("1048576"), "{told}");
}

#[tokio::test]
async fn what_cannot_be_run_is_said_at_the_start() {
    let mut no_workspace = Attempt::sh("true");
    no_workspace.spec.launch.cwd = "/nonexistent/workspace".into();
    let no_permission = Attempt::of(&["./tool"]);
    fs::write(no_permission.in_workspace("tool"), "#!/bin/sh\n").unwrap();
    for (attempt, words) in [
        (Attempt::of(&["no-such-program-here"]), "no program 'no-such-program-here'"),
        (Attempt::of(&[]), "command is empty"),
        (no_permission, "chmod"),
        (no_workspace, "/nonexistent/workspace"),
    ] {
        let refused = start(Path::new(EXE), &attempt.spec).await.unwrap_err();
        assert!(matches!(&refused, StartError::Refused { reason } if reason.contains(words)), "{refused}");
        let Adopted::Ended(exit) = adopt(attempt.dir()).unwrap() else { panic!("its end is to be known") };
        assert!(matches!(exit.cause, Cause::SpawnFailed { .. }));
        assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
    }
}

#[tokio::test]
async fn what_cannot_supervise_is_no_riddle_either() {
    let attempt = Attempt::sh("true");
    let missing = start(Path::new("/nonexistent/orchestrator"), &attempt.spec).await.unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/orchestrator"), "{missing}");
    let mute = start(Path::new("/bin/true"), &Attempt::sh("true").spec).await.unwrap_err();
    assert!(matches!(mute, StartError::Supervisor { .. }), "{mute}");
}

#[tokio::test]
async fn an_attempt_starts_once_and_not_after_it_was_given_up() {
    let given_up = Attempt::sh("echo $$ >> pids");
    fs::create_dir_all(given_up.dir()).unwrap();
    assert!(matches!(adopt(given_up.dir()).unwrap(), Adopted::NeverStarted));
    assert!(matches!(start(Path::new(EXE), &given_up.spec).await, Err(StartError::Taken { .. })));
    let twice = Attempt::sh("exit 0");
    twice.run().await;
    assert!(matches!(start(Path::new(EXE), &twice.spec).await, Err(StartError::Taken { .. })));
}

/// The supervisor comes second to the registration of somebody who looked meanwhile: its worker must not run.
#[tokio::test]
async fn a_start_that_was_given_up_meanwhile_runs_nothing() {
    for _ in 0..10 {
        let attempt = Attempt::sh("echo ran > ran");
        let dir = attempt.dir().to_owned();
        fs::create_dir_all(&dir).unwrap();
        let looker = std::thread::spawn(move || {
            until(|| dir.join(file::COMPLAINTS).exists().then_some(()));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _in_it = runtime.enter();
            matches!(adopt(&dir).unwrap(), Adopted::NeverStarted)
        });
        let started = start(Path::new(EXE), &attempt.spec).await;
        let given_up = looker.join().unwrap();
        assert_eq!(started.is_err(), given_up);
        if let Ok(running) = started {
            finish(&running).await;
        }
        assert_eq!(attempt.in_workspace("ran").exists(), !given_up);
    }
}

#[tokio::test]
async fn another_process_with_the_number_is_never_taken_for_ours() {
    let attempt = Attempt::sh("exit 0");
    attempt.run().await;
    fs::remove_file(attempt.dir().join(file::EXIT)).unwrap();
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let true_identity = orchestrator::runtime::process::Identity::of(stranger.id() as i32).unwrap();
    for (start_time, boot_id) in [(true_identity.start_time + 1, true_identity.boot_id.0.as_str()), (true_identity.start_time, "another-boot")] {
        attempt.rewrite_registration(|value| {
            for who in ["supervisor", "worker"] {
                value[who] = serde_json::json!({ "pid": stranger.id(), "start_time": start_time, "boot_id": boot_id });
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

fn brief(attempt: &Attempt, inherited: BTreeMap<OsString, OsString>) -> Brief {
    let at = |name: &str| attempt.in_workspace(name);
    Brief {
        task: TaskId::parse("fix-it").unwrap(),
        attempt: 2,
        epoch: 3,
        tier: TierName::new("haiku"),
        model: "claude-haiku-4-5".into(),
        workspace: attempt.spec.launch.cwd.clone(),
        attempt_dir: attempt.dir().to_owned(),
        prompt: "do it".into(),
        heartbeat_file: at("heartbeat.json"),
        progress_file: at("progress.md"),
        outcome_file: at("outcome.json"),
        token: "the-token".into(),
        url: Some("http://127.0.0.1:7878".into()),
        timeout: Duration::from_secs(60),
        session: None,
        session_cost_usd_before: None,
        session_tokens_before: None,
        budget_usd: None,
        max_turns: None,
        inherited,
    }
}

fn command(argv: &[&str], env: &[&str]) -> Command {
    Command::new(Options {
        command: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: env.iter().map(|word| (*word).to_owned()).collect(),
        inherited: std::env::vars_os().collect(),
    })
}

fn names(environ: &[u8]) -> Vec<String> {
    let entries = environ.split(|b| *b == 0).filter(|entry| !entry.is_empty());
    let mut names: Vec<String> = entries.map(|e| String::from_utf8_lossy(e).split('=').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Seen to fail with the caller's environment handed on whole.
#[tokio::test]
async fn nothing_of_the_callers_environment_leaks() {
    let mut attempt = Attempt::sh("");
    let mut caller: BTreeMap<OsString, OsString> =
        (0..200).map(|i| (format!("CANARY_{i}").into(), format!("canary-{i}").into())).collect();
    for name in ["PATH", "HOME", "LANG", "TERM", "TMPDIR", "WANTED"] {
        caller.insert(name.into(), std::env::var_os(name).unwrap_or_else(|| "x".into()));
    }
    caller.insert("ORCHESTRATOR_TOKEN".into(), "canary of another".into());
    let brief = brief(&attempt, caller);
    let script = "setsid sh -c 'echo $$ >> pids; sleep 1000; :' & echo $$ >> pids; sleep 1000; :";
    let runtime = command(&["sh", "-c", script], &["WANTED", "ORCHESTRATOR_TOKEN"]);
    attempt.spec = Spec::new(&brief, runtime.launch(&brief), Limits::default());
    let running = attempt.start().await;
    let family = attempt.await_pids(2);
    let own = ["ATTEMPT", "ATTEMPT_KEY", "HEARTBEAT_FILE", "MODEL", "OUTCOME_FILE", "PROGRESS_FILE", "PROMPT_FILE", "TASK_ID", "TIER", "TOKEN", "URL", "WORKSPACE"];
    let mut expected: Vec<String> = own.iter().map(|name| format!("ORCHESTRATOR_{name}")).collect();
    expected.extend(["PATH", "HOME", "LANG", "TERM", "TMPDIR", "WANTED"].map(str::to_owned));
    expected.sort();
    let worker = fs::read(format!("/proc/{}/environ", running.worker().pid)).unwrap();
    assert_eq!(names(&worker), expected);
    assert!(String::from_utf8_lossy(&worker).contains("ORCHESTRATOR_TOKEN=the-token\0"));
    for pid in family {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environ).to_lowercase().contains("canary"), "{pid}");
    }
    for name in [file::SPEC, file::SUPERVISOR] {
        let text = fs::read_to_string(attempt.dir().join(name)).unwrap();
        assert!(!text.contains("the-token"), "{name} holds a secret");
    }
    running.kill_now().unwrap();
    finish(&running).await;
}

#[tokio::test]
async fn a_torn_outcome_file_is_told_and_the_exit_code_stands() {
    let mut attempt = Attempt::sh("");
    let brief = brief(&attempt, std::env::vars_os().collect());
    let script = "read line; test \"$line\" = 'do it' && printf '{\"outcome\":\"bloc' > \"$ORCHESTRATOR_OUTCOME_FILE\"; exit 75";
    let runtime = command(&["sh", "-c", script], &[]);
    attempt.spec = Spec::new(&brief, runtime.launch(&brief), Limits::default());
    let exit = attempt.run().await;
    let told = OutcomeFile::load(&brief.outcome_file).unwrap_err().to_string();
    assert!(told.contains("no JSON"), "{told}");
    assert_eq!(runtime.reader(&brief).ending(&exit, None, "").kind, EndKind::Continue);
}

#[tokio::test]
async fn a_command_is_looked_for_before_it_is_needed() {
    assert!(command(&["sh", "worker.sh"], &[]).probe().await.is_ok());
    let missing = command(&["no-such-program-here"], &[]).probe().await.unwrap_err();
    assert!(missing.to_string().contains("no-such-program-here"), "{missing}");
    assert!(command(&[], &[]).probe().await.is_err());
}
