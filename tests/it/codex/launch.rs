//! How it is started, and whether it is there.

use super::*;

fn words(argv: &[OsString]) -> Vec<&str> {
    argv.iter().map(|word| word.to_str().unwrap()).collect()
}

fn launched(options: Options, brief: &Brief) -> Vec<String> {
    let argv = Codex::new(options).launch(brief).argv;
    words(&argv).into_iter().map(str::to_owned).collect()
}

/// The value of a `-c KEY=VALUE`, as TOML.
fn setting(argv: &[String], key: &str) -> Option<toml::Value> {
    let entry = argv
        .windows(2)
        .filter(|pair| pair[0] == "-c")
        .find_map(|pair| pair[1].strip_prefix(key)?.strip_prefix('='))?;
    let table: toml::Table = toml::from_str(&format!("x = {entry}")).unwrap();
    table.get("x").cloned()
}

fn text(argv: &[String], key: &str) -> Option<String> {
    setting(argv, key).map(|value| value.as_str().unwrap().to_owned())
}

#[test]
fn the_command_line_says_all_and_holds_no_secret() {
    let options = Options {
        api_key: Some("sk-secret".into()),
        base_url: Some("http://127.0.0.1:1/v1".into()),
        args: vec!["--search".into()],
        ..Options::default()
    };
    let runtime = Codex::new(options.clone());
    let first = runtime.launch(&brief());
    let argv = launched(options, &brief());
    assert_eq!(
        argv[..10],
        [
            "codex",
            "exec",
            "--json",
            "--skip-git-repo-check",
            "--model",
            "gpt-5-codex",
            "--cd",
            "/workspace",
            "--sandbox",
            "workspace-write"
        ]
    );
    assert!(argv.contains(&"--search".to_owned()) && argv.last().unwrap() == "-");
    let said = |key: &str| text(&argv, key);
    assert_eq!(said("approval_policy").as_deref(), Some("never"));
    assert_eq!(said("model_provider").as_deref(), Some("orchestrator"));
    assert_eq!(
        said("model_providers.orchestrator.base_url").as_deref(),
        Some("http://127.0.0.1:1/v1")
    );
    assert_eq!(
        said("model_providers.orchestrator.env_key").as_deref(),
        Some("CODEX_API_KEY")
    );
    assert_eq!(runtime.launch(&brief()), first, "it is pure");
    assert!(!format!("{first:?}").contains("sk-secret") && !argv.concat().contains("the-token"));
    assert_eq!(first.env[std::ffi::OsStr::new("CODEX_API_KEY")], "sk-secret");
    assert_eq!(first.stdin, b"do it");
}

/// S04: with the person's settings, a repository that the person trusts runs the hooks and MCP servers of its
/// `.codex/` (seen with the real CLI: they ran with these two flags taken out, also in a worktree). Seen to fail with one
/// of them taken out of `Codex::launch`.
#[test]
fn the_persons_trust_does_not_reach_the_workspace() {
    let flags = ["--ignore-user-config", "--ignore-rules"];
    let plain = launched(Options::default(), &brief());
    assert!(flags.iter().all(|flag| plain.iter().any(|word| word == flag)));
    let asked_for = Options {
        user_config: true,
        ..Options::default()
    };
    let own = launched(asked_for, &brief());
    assert!(!flags.iter().any(|flag| own.iter().any(|word| word == flag)));
}

#[test]
fn its_own_sandbox_holds_where_ours_does_not() {
    let bypass = "--dangerously-bypass-approvals-and-sandbox";
    let roots = "sandbox_workspace_write.writable_roots";
    let apart = Brief {
        heartbeat_file: "/home/heartbeats/fix-it.json".into(),
        progress_file: "/home/progress/fix-it.md".into(),
        ..brief()
    };
    let open = launched(Options::default(), &apart);
    assert!(!open.iter().any(|word| word == bypass));
    let expected: toml::Value = ["/attempt/desk", "/home/heartbeats", "/home/progress"]
        .map(toml::Value::from)
        .to_vec()
        .into();
    assert_eq!(setting(&open, roots), Some(expected));
    let contained = Brief {
        contained: true,
        ..brief()
    };
    let inside = launched(Options::default(), &contained);
    assert!(inside.iter().any(|word| word == bypass) && !inside.iter().any(|word| word == "--sandbox"));
    assert_eq!(setting(&inside, roots), None);
    let looking = Options {
        sandbox: SandboxMode::ReadOnly,
        ..Options::default()
    };
    assert!(launched(looking, &brief()).iter().any(|word| word == "read-only"));
}

#[test]
fn a_thread_goes_on_by_its_number() {
    let resumed = Brief {
        session: Some("01a1".into()),
        ..brief()
    };
    let argv = launched(Options::default(), &resumed);
    assert_eq!(argv[argv.len() - 3..], ["resume", "01a1", "-"]);
}

#[test]
fn files_are_handed_over() {
    let with_files = Brief {
        attachments: ["/a/shot.PNG", "/a/notes.txt", "/a/x,y.png"]
            .map(PathBuf::from)
            .to_vec(),
        ..brief()
    };
    let launch = Codex::new(Options::default()).launch(&with_files);
    let pictures = |launch: &Launch| -> Vec<String> {
        let flags = words(&launch.argv).into_iter();
        flags
            .filter(|word| word.starts_with("--image"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(pictures(&launch), ["--image=/a/shot.PNG"]);
    assert_eq!(launch.stdin, b"do it", "the prompt names all files itself");
    let later = Brief {
        session: Some("01a1".into()),
        ..with_files
    };
    assert!(pictures(&Codex::new(Options::default()).launch(&later)).is_empty());
}

#[test]
fn the_agent_verbs_are_offered_with_what_they_need() {
    let with_tools = Brief {
        mcp: ["/bin/orchestrator", "mcp", "a \"b\""]
            .map(OsString::from)
            .to_vec(),
        ..brief()
    };
    let argv = launched(Options::default(), &with_tools);
    assert_eq!(
        text(&argv, "mcp_servers.orchestrator.command").as_deref(),
        Some("/bin/orchestrator")
    );
    let list = |key: &str| -> Vec<String> { setting(&argv, key).unwrap().try_into().unwrap() };
    assert_eq!(list("mcp_servers.orchestrator.args"), ["mcp", "a \"b\""]);
    let names = list("mcp_servers.orchestrator.env_vars");
    for name in [
        "ORCHESTRATOR_TASK_ID",
        "ORCHESTRATOR_TOKEN",
        "ORCHESTRATOR_ATTEMPT_KEY",
    ] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name == "PATH"));
    let plain = launched(Options::default(), &brief());
    assert!(!plain.concat().contains("mcp_servers"));
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
    pairs.iter().map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn its_environment_is_set_on_purpose() {
    let caller = variables(&[
        ("CODEX_HOME", "/srv/codex"),
        ("OPENAI_API_KEY", "the callers"),
        ("PATH", "/bin"),
        ("TZ", "Europe/Berlin"),
    ]);
    let asked = Brief {
        inherited: caller,
        ..brief()
    };
    let get = |env: &BTreeMap<OsString, OsString>, name: &str| {
        env.get(std::ffi::OsStr::new(name))
            .map(|v| v.to_str().unwrap().to_owned())
    };
    let env = Codex::new(Options::default()).launch(&asked).env;
    assert_eq!(get(&env, "CODEX_HOME").as_deref(), Some("/srv/codex"));
    assert_eq!(get(&env, "OPENAI_API_KEY"), None, "only what is let through");
    assert_eq!(get(&env, "CODEX_API_KEY"), None);
    assert_eq!(get(&env, "TZ").as_deref(), Some("UTC"));
    let argv = launched(Options::default(), &asked);
    let hidden: Vec<String> = setting(&argv, "shell_environment_policy.exclude")
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(hidden, ["CODEX_API_KEY", "TZ"]);
    assert_eq!(text(&argv, "shell_environment_policy.set.TZ"), None);
    let zoned = Options {
        env: vec!["TZ".into()],
        ..Options::default()
    };
    let argv = launched(zoned, &asked);
    assert_eq!(
        text(&argv, "shell_environment_policy.set.TZ").as_deref(),
        Some("Europe/Berlin")
    );
}

fn script(dir: &Path, text: &str) -> String {
    let path = dir.join("codex");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The caller's environment, with a home that is not among temporary files.
fn own_environment() -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    all.insert("CODEX_HOME".into(), "/nowhere/.codex".into());
    all
}

#[tokio::test]
async fn it_is_looked_for_before_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let probe = |binary: String, inherited: BTreeMap<OsString, OsString>| async move {
        let options = Options {
            binary,
            inherited,
            ..Options::default()
        };
        Codex::new(options).probe().await
    };
    let missing = probe("no-codex-here".into(), own_environment())
        .await
        .unwrap_err();
    assert!(
        missing.reason.contains("no-codex-here") && missing.cure.contains("npm install"),
        "{missing}"
    );
    let good = script(dir.path(), "#!/bin/sh\necho 'codex-cli 0.169.0'\n");
    let found = probe(good.clone(), own_environment()).await.unwrap();
    assert_eq!(found.version, format!("codex-cli {RECORDED_FROM}"));
    // There, the CLI's sandbox fails each command, and the run still ends well.
    let mut at_tmp = own_environment();
    at_tmp.insert("CODEX_HOME".into(), "/tmp/home/.codex".into());
    at_tmp.insert("TMPDIR".into(), "/tmp".into());
    let unfit = probe(good, at_tmp).await.unwrap_err();
    assert!(unfit.cure.contains("CODEX_HOME"), "{unfit}");
    let broken = probe(
        script(dir.path(), "#!/bin/sh\necho broken >&2; exit 3\n"),
        own_environment(),
    )
    .await
    .unwrap_err();
    assert!(broken.reason.contains("broken"), "{broken}");
}

/// The whole way: a program that plays a transcript, under a supervisor, read from its file.
#[tokio::test]
async fn from_launch_to_ending() {
    let dir = tempfile::tempdir().unwrap();
    let play = format!(
        "#!/bin/sh\ncat > \"$ORCHESTRATOR_WORKSPACE/prompt\"\nprintf '%s\\n' \"$@\" > \"$ORCHESTRATOR_WORKSPACE/args\"\ncat '{}'\n",
        fixtures().join("success_tools.jsonl").display()
    );
    let brief = Brief {
        workspace: dir.path().to_owned(),
        attempt_dir: dir.path().join("attempt"),
        inherited: own_environment(),
        ..brief()
    };
    let runtime = Codex::new(Options {
        binary: script(dir.path(), &play),
        ..Options::default()
    });
    let spec = Spec::new(&brief, runtime.launch(&brief), Limits::default());
    let exit = start(Path::new(env!("CARGO_BIN_EXE_orchestrator")), &spec)
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(fs::read_to_string(dir.path().join("prompt")).unwrap(), "do it");
    let args = fs::read_to_string(dir.path().join("args")).unwrap();
    assert!(
        args.starts_with("exec\n--json\n") && args.ends_with("\n-\n"),
        "{args}"
    );
    let stdout = brief
        .attempt_dir
        .join(orchestrator::runtime::process::file::STDOUT);
    let mut reader = runtime.reader(&brief);
    for line in Tail::new(&stdout, 0).read().unwrap() {
        reader.read(&line.bytes);
    }
    let ending = reader.ending(&exit, None, "");
    assert_eq!(
        (ending.kind, ending.reason.as_str()),
        (E::Claimed, "Created the file with one line.")
    );
}
