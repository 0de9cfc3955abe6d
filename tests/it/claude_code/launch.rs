//! How it is started, and whether it is there.

use super::*;

fn words(argv: &[OsString]) -> Vec<&str> {
    argv.iter().map(|word| word.to_str().unwrap()).collect()
}

#[test]
fn the_command_line_says_all_and_holds_no_secret() {
    let options = Options {
        max_turns: Some(30),
        api_key: Some("sk-secret".into()),
        base_url: Some("http://127.0.0.1:1".into()),
        args: vec!["--effort".into(), "low".into()],
        ..Options::default()
    };
    let runtime = ClaudeCode::new(options);
    let first = runtime.launch(&Brief {
        budget_usd: Some(2.5),
        ..brief()
    });
    let argv = words(&first.argv);
    assert_eq!(
        argv[..7],
        [
            "claude",
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--model",
            "claude-sonnet-4-5"
        ]
    );
    let value = |flag: &str| argv.iter().position(|word| *word == flag).map(|at| argv[at + 1]);
    assert_eq!(
        (value("--max-turns"), value("--max-budget-usd"), value("--effort")),
        (Some("30"), Some("2.5"), Some("low"))
    );
    assert!(argv.contains(&"--setting-sources=user") && argv.contains(&"--strict-mcp-config"));
    let session = uuid::Uuid::parse_str(value("--session-id").unwrap()).unwrap();
    assert_eq!(session.get_version_num(), 4);
    assert_eq!(
        runtime.launch(&Brief {
            budget_usd: Some(2.5),
            ..brief()
        }),
        first,
        "it is pure"
    );
    assert_ne!(
        runtime
            .launch(&Brief {
                attempt: 2,
                ..brief()
            })
            .argv,
        runtime.launch(&brief()).argv
    );
    assert!(!format!("{first:?}").contains("sk-secret") && !argv.concat().contains("sk-secret"));
    assert_eq!(first.stdin, b"do it");
}

#[test]
fn a_session_goes_on_in_its_own_name() {
    let runtime = ClaudeCode::new(Options::default());
    let resumed = runtime.launch(&Brief {
        session: Some("abc".into()),
        max_turns: Some(3),
        ..brief()
    });
    let argv = words(&resumed.argv);
    assert!(
        argv.windows(2).any(|pair| pair == ["--resume", "abc"])
            && argv.windows(2).any(|pair| pair == ["--max-turns", "3"])
    );
    assert!(!argv.contains(&"--session-id"));
}

#[test]
fn its_environment_is_set_on_purpose() {
    let caller: BTreeMap<OsString, OsString> = [
        ("IS_SANDBOX", "yes"),
        ("ANTHROPIC_API_KEY", "the callers"),
        ("PATH", "/bin"),
        ("X", "1"),
    ]
    .into_iter()
    .map(|(k, v)| (k.into(), v.into()))
    .collect();
    let of = |options: Options| {
        ClaudeCode::new(options)
            .launch(&Brief {
                inherited: caller.clone(),
                ..brief()
            })
            .env
    };
    let get = |env: &BTreeMap<OsString, OsString>, name: &str| {
        env.get(std::ffi::OsStr::new(name))
            .map(|v| v.to_str().unwrap().to_owned())
    };
    let plain = of(Options {
        env: vec!["IS_SANDBOX".into()],
        ..Options::default()
    });
    assert_eq!(get(&plain, "IS_SANDBOX"), None);
    assert_eq!(get(&plain, "ANTHROPIC_API_KEY"), None, "only what is let through");
    assert_eq!(get(&plain, "CLAUDE_CODE_MAX_RETRIES").as_deref(), Some("1"));
    assert_eq!(get(&plain, "ORCHESTRATOR_TASK_ID").as_deref(), Some("fix-it"));
    let full = of(Options {
        api_key: Some("sk".into()),
        base_url: Some("http://x".into()),
        ..Options::default()
    });
    assert_eq!(get(&full, "ANTHROPIC_API_KEY").as_deref(), Some("sk"));
    assert_eq!(get(&full, "ANTHROPIC_BASE_URL").as_deref(), Some("http://x"));
}

fn script(dir: &Path, text: &str) -> String {
    let path = dir.join("claude");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn own_environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

#[tokio::test]
async fn it_is_looked_for_before_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let probe = |binary: String| async move {
        ClaudeCode::new(Options {
            binary,
            inherited: own_environment(),
            ..Options::default()
        })
        .probe()
        .await
    };
    let missing = probe("no-claude-here".into()).await.unwrap_err();
    assert!(
        missing.reason.contains("no-claude-here") && missing.cure.contains("npm install"),
        "{missing}"
    );
    assert_eq!(
        probe(script(dir.path(), "#!/bin/sh\necho '2.1.329 (Claude Code)'\n"))
            .await
            .unwrap()
            .version,
        "2.1.329 (Claude Code)"
    );
    let broken = probe(script(dir.path(), "#!/bin/sh\necho broken >&2; exit 3\n"))
        .await
        .unwrap_err();
    assert!(broken.reason.contains("broken"), "{broken}");
    let asked = Instant::now();
    let mute = probe(script(dir.path(), "#!/bin/sh\nexec sleep 60\n"))
        .await
        .unwrap_err();
    assert!(
        mute.reason.contains("5 s") && asked.elapsed() < Duration::from_secs(8),
        "{mute}"
    );
}

/// The whole way: a program that plays a transcript, under a supervisor, read from its file by two readers in turn.
#[tokio::test]
async fn from_launch_to_ending() {
    let dir = tempfile::tempdir().unwrap();
    let transcript = fixtures().join("success_tools.jsonl");
    let play = format!(
        "#!/bin/sh\ncat > \"$ORCHESTRATOR_WORKSPACE/prompt\"\nprintf '%s\\n' \"$@\" > \"$ORCHESTRATOR_WORKSPACE/args\"\ncat '{}'\n",
        transcript.display()
    );
    let binary = script(dir.path(), &play);
    let brief = Brief {
        workspace: dir.path().to_owned(),
        attempt_dir: dir.path().join("attempt"),
        inherited: own_environment(),
        ..brief()
    };
    let runtime = ClaudeCode::new(Options {
        binary,
        ..Options::default()
    });
    let spec = Spec::new(&brief, runtime.launch(&brief), Limits::default());
    let exit = start(Path::new(env!("CARGO_BIN_EXE_orchestrator")), &spec)
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(fs::read_to_string(dir.path().join("prompt")).unwrap(), "do it");
    assert!(
        fs::read_to_string(dir.path().join("args"))
            .unwrap()
            .starts_with("-p\n--output-format\n")
    );
    let mut reader = runtime.reader(&brief);
    let stdout = brief
        .attempt_dir
        .join(orchestrator::runtime::process::file::STDOUT);
    let mut offset = 0;
    loop {
        let mut tail = Tail::new(&stdout, offset);
        let lines = tail.read().unwrap();
        if lines.is_empty() {
            break;
        }
        for line in lines.iter().take(3) {
            reader.read(&line.bytes);
            offset = line.next;
        }
    }
    assert_eq!(reader.ending(&exit, None, "").kind, E::Claimed);
    assert_eq!(reader.account().spent.output_tokens, Some(160));
}
