//! The command runtime: what its program is given, and what its end means.

use super::*;

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
        attachments: Vec::new(),
        mcp: Vec::new(),
        contained: false,
        tools: None,
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
    let mut names: Vec<String> = entries
        .map(|e| String::from_utf8_lossy(e).split('=').next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Seen to fail with the caller's environment handed on whole.
#[tokio::test]
async fn nothing_of_the_callers_environment_leaks() {
    let mut attempt = Attempt::sh("");
    let mut caller: BTreeMap<OsString, OsString> = (0..200)
        .map(|i| (format!("CANARY_{i}").into(), format!("canary-{i}").into()))
        .collect();
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
    let own = [
        "ATTEMPT",
        "ATTEMPT_KEY",
        "HEARTBEAT_FILE",
        "MODEL",
        "OUTCOME_FILE",
        "PROGRESS_FILE",
        "PROMPT_FILE",
        "TASK_ID",
        "TIER",
        "TOKEN",
        "URL",
        "WORKSPACE",
    ];
    let mut expected: Vec<String> = own.iter().map(|name| format!("ORCHESTRATOR_{name}")).collect();
    expected.extend(["PATH", "HOME", "LANG", "TERM", "TMPDIR", "WANTED"].map(str::to_owned));
    expected.extend(["COUNT", "KEY_0", "VALUE_0"].map(|name| format!("GIT_CONFIG_{name}")));
    expected.push("GIT_TERMINAL_PROMPT".to_owned());
    expected.sort();
    let worker = fs::read(format!("/proc/{}/environ", running.worker().pid)).unwrap();
    assert_eq!(names(&worker), expected);
    assert!(String::from_utf8_lossy(&worker).contains("ORCHESTRATOR_TOKEN=the-token\0"));
    for pid in family {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(
            !String::from_utf8_lossy(&environ)
                .to_lowercase()
                .contains("canary"),
            "{pid}"
        );
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
    assert_eq!(
        runtime.reader(&brief).ending(&exit, None, "").kind,
        EndKind::Continue
    );
}

#[tokio::test]
async fn a_command_is_looked_for_before_it_is_needed() {
    assert!(command(&["sh", "worker.sh"], &[]).probe().await.is_ok());
    let missing = command(&["no-such-program-here"], &[]).probe().await.unwrap_err();
    assert!(missing.to_string().contains("no-such-program-here"), "{missing}");
    assert!(command(&[], &[]).probe().await.is_err());
}
