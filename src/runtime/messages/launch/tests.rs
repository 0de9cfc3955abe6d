use std::ffi::OsStr;

use super::*;
use crate::domain::id::TaskId;
use crate::domain::tier::TierName;

fn brief() -> Brief {
    let inherited = (0..200).map(|n| (format!("CANARY_{n}"), "leaked".to_owned()));
    let known = [
        ("PATH", "/bin"),
        ("HOME", "/h"),
        ("ANTHROPIC_API_KEY", "leaked"),
        ("EXTRA", "wanted"),
    ];
    let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Brief {
        task: TaskId::parse("t1").unwrap(),
        attempt: 2,
        epoch: 3,
        tier: TierName::new("haiku"),
        model: "haiku-x".into(),
        workspace: "/w".into(),
        attempt_dir: "/state/t1/2".into(),
        prompt: "do it".into(),
        heartbeat_file: "/hb".into(),
        progress_file: "/pf".into(),
        outcome_file: "/of".into(),
        token: "tok".into(),
        url: None,
        timeout: Duration::from_secs(1),
        session: Some("s".into()),
        session_cost_usd_before: None,
        session_tokens_before: None,
        budget_usd: Some(0.5),
        max_turns: Some(9),
        attachments: Vec::new(),
        mcp: Vec::new(),
        contained: false,
        tools: None,
        inherited: inherited
            .chain(known)
            .map(|(n, v)| (n.into(), v.into()))
            .collect(),
    }
}

fn options() -> Options {
    Options {
        env: vec!["EXTRA".into()],
        ..Options::new(std::env::current_exe().unwrap())
    }
}

#[test]
fn nothing_but_the_contract_is_inherited() {
    let launch = Messages::new(options()).launch(&brief());
    let names: Vec<_> = launch.env.keys().map(|name| name.to_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "EXTRA",
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_VALUE_0",
            "GIT_TERMINAL_PROMPT",
            "HOME",
            "ORCHESTRATOR_ATTEMPT",
            "ORCHESTRATOR_HEARTBEAT_FILE",
            "ORCHESTRATOR_MESSAGES",
            "ORCHESTRATOR_MODEL",
            "ORCHESTRATOR_OUTCOME_FILE",
            "ORCHESTRATOR_PROGRESS_FILE",
            "ORCHESTRATOR_PROMPT_FILE",
            "ORCHESTRATOR_SESSION_DIR",
            "ORCHESTRATOR_TASK_ID",
            "ORCHESTRATOR_TIER",
            "ORCHESTRATOR_TOKEN",
            "ORCHESTRATOR_WORKSPACE",
            "PATH",
        ]
    );
    assert!(!launch.env.values().any(|value| value == "leaked"));
    assert_eq!(
        launch.env[OsStr::new("ORCHESTRATOR_SESSION_DIR")],
        "/state/t1/sessions"
    );
    assert_eq!(launch.stdin, b"do it");
}

#[test]
fn the_key_is_in_its_own_variable_alone() {
    let mut options = options();
    options.api_key = Some(SecretString::from("sk-1".to_owned()));
    assert!(!format!("{options:?}").contains("sk-1"));
    let launch = Messages::new(options).launch(&brief());
    let holders: Vec<_> = launch
        .env
        .iter()
        .filter(|(_, value)| value.to_string_lossy().contains("sk-1"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(holders, [KEY_VARIABLE]);
    assert!(
        !launch
            .argv
            .iter()
            .any(|part| part.to_string_lossy().contains("sk-1"))
    );
}

#[test]
fn the_settings_come_from_brief_and_options() {
    let mut options = options();
    options.base_url = "http://127.0.0.1:1/".into();
    let prices = Prices {
        input: 1.0,
        output: 2.0,
        cache_write: None,
        cache_read: None,
    };
    options.prices.insert("haiku-x".into(), prices);
    let settings = Messages::new(options).settings(&brief());
    assert_eq!(settings.base_url, "http://127.0.0.1:1");
    assert_eq!((settings.max_turns, settings.budget_usd), (9, Some(0.5)));
    assert_eq!(settings.prices, Some(prices));
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[tokio::test]
async fn the_probe_wants_a_key_unless_the_endpoint_is_on_loopback() {
    let key = || Some(SecretString::from("sk".to_owned()));
    for (url, key, exe_there, ok) in [
        ("https://api.anthropic.com", None, true, false),
        ("https://api.anthropic.com", key(), true, true),
        ("http://127.0.0.1:9", None, true, true),
        ("http://[::1]:9", None, true, true),
        ("http://localhost:9", None, true, true),
        ("http://127.0.0.1.evil.example", None, true, false),
        ("nonsense", key(), true, false),
        ("http://127.0.0.1:9", None, false, false),
    ] {
        let mut options = options();
        options.base_url = url.into();
        options.api_key = key;
        if !exe_there {
            options.exe = "/nonexistent/orchestrator".into();
        }
        let found = Messages::new(options).probe().await;
        assert_eq!(found.is_ok(), ok, "{url} {found:?}");
        if let Err(unavailable) = found {
            assert!(!unavailable.reason.is_empty() && !unavailable.cure.is_empty());
        }
    }
}
