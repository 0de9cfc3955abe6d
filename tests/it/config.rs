//! The configuration as people meet it: layers, faults with their places, secrets, the template.

use std::path::Path;
use std::time::Duration;

use orchestrator::config::section::{Kind, StoreAddress};
use orchestrator::config::template::TEMPLATE;
use orchestrator::config::{self, Config, Environment, Fault, Home, Loaded, Origin, Override};
use orchestrator::domain::policy::{Order, Start};

fn parse_with(text: &str, env: &[(&str, &str)], flags: &[Override]) -> Result<Loaded, Vec<Fault>> {
    let env = env.iter().copied().collect();
    config::parse(Path::new("orchestrator.toml"), text, &env, flags)
}

fn parse(text: &str) -> Config {
    match parse_with(text, &[], &[]) {
        Ok(loaded) => loaded.config,
        Err(faults) => panic!("{}", said(&faults)),
    }
}

fn faults(text: &str) -> Vec<Fault> {
    parse_with(text, &[], &[]).expect_err("a faulty configuration")
}

fn said(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn value(loaded: &Loaded, key: &str) -> String {
    let found = config::show(loaded).iter().find(|entry| entry.key == key);
    found.unwrap_or_else(|| panic!("no {key}")).value.clone()
}

#[test]
fn nothing_configured_is_the_contract() {
    let config = parse("");
    let policy = config.policy();
    assert_eq!(config.scheduler.cron, "*/15 * * * *");
    assert!(config.scheduler.watch);
    assert_eq!(policy.max_concurrent, 2);
    assert_eq!(policy.heartbeat_stale_after, Duration::from_secs(20 * 60));
    assert_eq!((policy.attempts_per_tier, policy.lifetime_attempts), (1, 15));
    assert_eq!((policy.reworks, policy.idle_runs), (0, 2));
    assert_eq!(
        (policy.start, policy.order),
        (Start::Assessed, Order::BreadthFirst)
    );
    assert_eq!(policy.backoff_max, Duration::from_secs(300));
    let names: Vec<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(names, ["haiku", "sonnet", "opus"]);
    assert_eq!(config.tiers[2].model, "claude-opus-4-5");
    assert_eq!(config.tiers[0].runtimes, ["claude", "api"]);
    assert!(matches!(config.runtimes["claude"].kind, Kind::ClaudeCode(_)));
    assert!(matches!(config.runtimes["codex"].kind, Kind::Codex(_)));
    assert!(matches!(config.runtimes["api"].kind, Kind::Messages(_)));
    assert_eq!(config.server.listen.unwrap().to_string(), "127.0.0.1:7878");
    assert_eq!(config.gate.timeout, Duration::from_secs(15 * 60));
    assert_eq!(config.limits.output_bytes, 256_000_000);
}

#[test]
fn the_template_is_the_defaults_and_names_every_key() {
    let (template, nothing) = (
        parse_with(TEMPLATE, &[], &[]).unwrap(),
        parse_with("", &[], &[]).unwrap(),
    );
    assert_eq!(format!("{:?}", template.config), format!("{:?}", nothing.config));
    for entry in config::show(&nothing) {
        let key = entry.key.rsplit('.').next().unwrap();
        let named = TEMPLATE
            .lines()
            .any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")));
        assert!(named, "the template does not name {}", entry.key);
    }
}

#[test]
fn the_template_s_commented_keys_are_true_keys() {
    let uncommented: String = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if is_code(code) => code,
            Some(_) => "",
            None => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = parse(&uncommented);
    assert_eq!(config.tiers.len(), 3);
    assert_eq!(config.gate.checks.len(), 1);
    assert!(config.runtimes.contains_key("demo"));
}

#[test]
fn the_documentation_has_every_key_with_its_default() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md")).unwrap();
    for entry in config::show(&parse_with("", &[], &[]).unwrap()) {
        let key = match entry.key.split('.').collect::<Vec<_>>()[..] {
            ["tiers", _, key] if key != "model" => format!("tiers.*.{key}"),
            _ => entry.key.clone(),
        };
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}` | ")));
        let row = row.unwrap_or_else(|| panic!("docs/CONFIGURATION.md has no row for {key}"));
        let said = row.split(" | ").nth(1).unwrap().trim_matches('`');
        let is_secret = entry.value.starts_with("[secret]") && said.starts_with("${");
        assert!(
            said == entry.value || is_secret,
            "{row}\nthe default is {}",
            entry.value
        );
    }
}

fn is_code(text: &str) -> bool {
    let word = |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.starts_with('[') || text.split_once(" = ").is_some_and(|(key, _)| word(key))
}

#[test]
fn the_bus_is_memory_or_a_server_whose_password_nobody_sees() {
    assert!(parse("").bus.server().is_none());
    assert!(parse("[bus]\nurl = 'memory'").bus.server().is_none());
    let text = "[bus]\nurl = 'valkey://me:${BUS_PW}@h:1/2'\nprefix = 'fleet-a'";
    let loaded = parse_with(text, &[("BUS_PW", "hidden")], &[]).unwrap();
    assert!(loaded.config.bus.server().unwrap().value().is_ok());
    assert_eq!(loaded.config.bus.prefix(), Some("fleet-a"));
    assert_eq!(value(&loaded, "bus.url"), "valkey://me:[secret]@h:1/2");
    assert!(!format!("{:?}", loaded.config).contains("hidden"));
    // What is not set here makes the bus unavailable, not the file wrong.
    let loaded = parse_with(text, &[], &[]).unwrap();
    assert!(loaded.config.bus.server().unwrap().value().is_err());
    assert!(value(&loaded, "bus.url").contains("BUS_PW is not set"));
}

#[test]
fn later_layers_win_and_say_so() {
    let text = "[scheduler]\nmax_concurrent = 3\ncron = \"0 * * * *\"\n[runtimes.my-tool]\nkind = \"command\"\ncommand = [\"a\"]\n";
    let env = [
        ("ORCHESTRATOR__SCHEDULER__MAX_CONCURRENT", "4"),
        ("ORCHESTRATOR__SCHEDULER__TIMEZONE", "Europe/Berlin"),
        ("ORCHESTRATOR__TIERS__HAIKU__MODEL", "m"),
        ("ORCHESTRATOR__TIERS__HAIKU__RUNTIMES", "[\"my-tool\"]"),
        ("ORCHESTRATOR__RUNTIMES__MY_TOOL__COMMAND", "['b', 'c']"),
        ("ORCHESTRATOR_LOG", "not a key"),
    ];
    let flags = [Override::flag(
        "--max-concurrent",
        "scheduler.max_concurrent",
        "5",
    )];
    let loaded = parse_with(text, &env, &flags).unwrap_or_else(|faults| panic!("{}", said(&faults)));
    assert_eq!(value(&loaded, "scheduler.max_concurrent"), "5");
    assert_eq!(value(&loaded, "scheduler.timezone"), "Europe/Berlin");
    assert_eq!(value(&loaded, "runtimes.my-tool.command"), "[\"b\", \"c\"]");
    assert_eq!(loaded.config.tiers[0].model, "m");
    assert_eq!(loaded.config.tiers[0].runtimes, ["my-tool"]);
    let origin = |key: &str| {
        config::show(&loaded)
            .iter()
            .find(|entry| entry.key == key)
            .unwrap()
            .origin
            .to_string()
    };
    assert_eq!(origin("scheduler.max_concurrent"), "flag --max-concurrent");
    assert_eq!(origin("scheduler.cron"), "orchestrator.toml:3:8");
    assert_eq!(
        origin("scheduler.timezone"),
        "environment variable ORCHESTRATOR__SCHEDULER__TIMEZONE"
    );
    assert_eq!(origin("scheduler.watch"), "default");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place_and_cure() {
    let text = r#"[scheduler]
crom = "*/15 * * * *"
timezone = "Europe/Berln"
max_concurrent = -1
heartbeat_stale_after = "20 minutes or so"

[shceduler]

[policy]
order = "depth"

[[tiers]]
name = "haiku"
model = "m"
runtimes = ["claude", "cluade"]

[[tiers]]
name = "Haiku"
model = "m"

[[tiers]]
model = "m"

[runtimes.x]
kind = "command"

[runtimes.y]
kind = "commend"
command = ["a"]

[runtimes.claude]
command = ["a"]
"#;
    let found = faults(text);
    let rows: Vec<(u32, u32, &str, &str)> = found
        .iter()
        .map(|fault| {
            (
                fault.line(),
                fault.column(),
                fault.message.as_str(),
                fault.help.as_deref().unwrap_or(""),
            )
        })
        .collect();
    insta::assert_debug_snapshot!(rows);
}

#[test]
fn syntax_mistakes_have_their_place() {
    let found = faults("[scheduler]\nmax_concurrent = \n\"x");
    assert!(found.len() >= 2, "{}", said(&found));
    assert_eq!(found[0].line(), 2);
    let found = faults("[store]\nurl = \"sqlite\"\nurl = \"sqlite\"\n");
    assert_eq!((found.len(), found[0].line()), (1, 3), "{}", said(&found));
}

#[rstest::rstest]
#[case("[scheduler]\ncron = \"0 */15 * * * *\"", "2:8", "6 fields")]
#[case("[scheduler]\ncron = \"0 0 30 2 *\"", "2:8", "never comes")]
#[case("[scheduler]\nmax_concurrent = 0", "2:18", "a whole number from 1")]
#[case("[scheduler]\nheartbeat_stale_after = \"0s\"", "2:25", "longer than 0s")]
#[case("tiers = []", "1:9", "no tier")]
#[case("scheduler = 3", "1:13", "a table")]
#[case("[runtimes]\nclaude = 3", "2:10", "a table")]
#[case("[[tiers]]\nname='a'\nmodel='b'\nruntimes=[]", "4:10", "at least one runtime")]
#[case("[[tiers]]\nname='a'\nmodel='b'\nbudget=-1.5", "4:8", "no amount of money")]
#[case("[runtimes.x]\nkind='command'\ncommand=[]", "3:9", "the command is empty")]
#[case("[runtimes.x]\nkind='command'\ncommand=['a', 3]", "3:15", "expected a text")]
#[case("[runtimes.x]", "1:1", "kind is missing")]
#[case("[runtimes.x]\nkind='codecs'", "2:6", "none of")]
#[case("[runtimes.codex]\nsandbox='none'", "2:9", "none of")]
#[case("[runtimes.claude]\nsandbox='read-only'", "2:1", "does not belong")]
#[case("[runtimes.api]\nbase_url='api.example'", "2:10", "no address")]
#[case("[runtimes.api]\nenv=['A=b']", "2:6", "no variable's name")]
#[case("[runtimes.api]\napi_key='${A'", "2:9", "not closed")]
#[case(
    "[runtimes.'a b']\nkind='command'\ncommand=['x']",
    "1:11",
    "no name for a runtime"
)]
#[case(
    "[store]\nurl='postgress://u:hidden@h/d'",
    "2:5",
    "the address of a PostgreSQL server"
)]
#[case("[store]\nurl='postgres://u:${hidden@h/d'", "2:5", "'${' is not closed")]
#[case("[store]\nlock_timeout='0s'", "2:14", "at least 1ms")]
#[case("[bus]\nurl='nats://u:hidden@h'", "2:5", "expected \"memory\"")]
#[case("[bus]\nurl='redis://u:hidden@h/x'", "2:5", "no address")]
#[case("[bus]\nprefix='a b'", "2:8", "cannot begin")]
#[case("[server]\nlisten='localhost'", "2:8", "no address")]
#[case("[logging]\nlevel='a=b=c'", "2:7", "level")]
#[case("[[gate.checks]]\nname='t'", "1:1", "run is missing")]
#[case("[policy]\nbackoff_initial='10m'", "1:1", "shorter than")]
fn bad_values(#[case] text: &str, #[case] place: &str, #[case] what: &str) {
    let found = faults(text);
    assert_eq!(found.len(), 1, "{}", said(&found));
    let whole = said(&found);
    assert!(
        whole.starts_with(&format!("orchestrator.toml:{place}: ")) && whole.contains(what),
        "{whole}"
    );
    assert!(!whole.contains("hidden"));
}

#[test]
fn columns_count_characters_and_a_bom_is_no_column() {
    let found = faults("\u{feff}[gate]\nchecks = [{ name = \"grün\", x = 1, run = \"a\" }]\n");
    assert_eq!(found.len(), 1, "{}", said(&found));
    assert_eq!((found[0].line(), found[0].column()), (2, 28));
}

#[test]
fn mistakes_of_variables_and_flags_name_them() {
    let env = [
        ("ORCHESTRATOR__SCHEDULER__MAX_CONCURENT", "4"),
        ("ORCHESTRATOR__SCHEDULER__WATCH", "perhaps"),
    ];
    let flags = [Override::flag("--cron", "scheduler.cron", "never")];
    let found = parse_with("", &env, &flags).unwrap_err();
    let whole = said(&found);
    assert_eq!(found.len(), 3, "{whole}");
    assert!(
        whole.contains("did you mean 'scheduler.max_concurrent'?"),
        "{whole}"
    );
    assert!(
        whole.contains("environment variable ORCHESTRATOR__SCHEDULER__WATCH: scheduler.watch: expected true")
    );
    assert!(whole.contains("flag --cron"), "{whole}");
    assert!(found.iter().all(|fault| fault.line() == 0));
}

#[test]
fn secrets_are_read_and_never_shown() {
    let env = [("MY_KEY", "s3cret-value")];
    let text = "[runtimes.api]\napi_key = \"${MY_KEY}\"\n[runtimes.claude]\napi_key = 'literal-s3cret'\n";
    let loaded = parse_with(text, &env, &[]).unwrap();
    let shown = format!("{loaded:?} {:?}", config::show(&loaded));
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_eq!(value(&loaded, "runtimes.api.api_key"), "[secret]");
    assert_eq!(loaded.config.runtimes["api"].unavailable(), None);
    let bad = parse_with("[runtimes.api]\napi_key = ['s3cret']", &[], &[]).unwrap_err();
    assert!(!said(&bad).contains("s3cret"), "{}", said(&bad));
    let env: Environment = env.into_iter().collect();
    assert!(!format!("{env:?}").contains("s3cret"));
}

#[test]
fn an_unset_secret_makes_the_runtime_unavailable_not_the_configuration_wrong() {
    let config = parse("");
    let reason = config.runtimes["api"].unavailable().unwrap();
    assert!(reason.contains("ANTHROPIC_API_KEY"), "{reason}");
    assert_eq!(config.runtimes["claude"].unavailable(), None);
}

#[test]
fn a_file_that_cannot_be_read_is_one_fault() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    let none = Environment::default();
    assert!(said(&config::load(&home, &none, &[]).unwrap_err()).contains("cannot be read"));
    std::fs::write(home.config_file(), b"# fine\n\xff\n").unwrap();
    let found = config::load(&home, &none, &[]).unwrap_err();
    assert_eq!((found.len(), found[0].line()), (1, 2));
    std::fs::remove_file(home.config_file()).unwrap();
    std::fs::create_dir(home.config_file()).unwrap();
    assert!(said(&config::load(&home, &none, &[]).unwrap_err()).contains("cannot be read"));
}

#[test]
fn the_database_may_live_elsewhere() {
    let layout = Home::at("/i").layout();
    assert_eq!(
        parse("").store.address(&layout),
        StoreAddress::Sqlite("/i/.orchestrator/orchestrator.db".into())
    );
    let moved = parse("[store]\nurl = \"sqlite:/var/lib/o.db\"");
    assert_eq!(
        moved.store.address(&layout),
        StoreAddress::Sqlite("/var/lib/o.db".into())
    );
    assert!(matches!(
        config::show(&parse_with("", &[], &[]).unwrap())[0].origin,
        Origin::Default
    ));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\[\\[?(tiers|runtimes|gate|scheduler|runtimes\\.x)\\]\\]?\n|[a-z_]{1,8} ?= ?(\"[^\"]*\"|-?[0-9]{1,4}|\\[.{0,5}\\]|true)\n|\\PC{0,8}\n){0,12}") {
        let _ = parse_with(&text, &[], &[]);
    }
}

#[test]
fn surfaces_are_read_and_their_mistakes_named() {
    let good = "[chat.ops]\nkind = \"webhook\"\nurl = \"https://h/x\"\nsecret = \"${HOOK}\"\nreports = [\"blocked\"]\n";
    let loaded = parse_with(good, &[("HOOK", "s3cret")], &[]).unwrap();
    assert_eq!(loaded.config.chat.len(), 1);
    let shown = config::show(&loaded);
    assert!(shown.iter().all(|entry| !entry.value.contains("s3cret")));
    for (text, said) in [
        ("[chat.ops]\n", "chat.ops.kind is missing"),
        ("[chat.ops]\nkind = \"pigeon\"\n", "kind"),
        (
            "[chat.\"The Ops\"]\nkind = \"webhook\"\nurl = \"https://h\"\nsecret = \"s\"\n",
            "no name of a surface",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nsecret = \"s\"\n",
            "chat.ops.url is missing",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nurl = \"ftp://h\"\nsecret = \"s\"\n",
            "no address",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nurl = \"https://h\"\n",
            "secret is missing",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nurl = \"https://h\"\nsecret = \"s\"\nreports = [\"done\"]\n",
            "no kind of report",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nurl = \"https://h\"\nsecret = \"s\"\nper_minute = 0\n",
            "per_minute",
        ),
        (
            "[chat.ops]\nkind = \"webhook\"\nurl = \"https://h\"\nsecret = \"s\"\nchannel = \"c\"\n",
            "unknown key 'channel'",
        ),
    ] {
        let faults = faults(text);
        assert!(
            faults.iter().any(|fault| fault.message.contains(said)),
            "{text}: {faults:?}"
        );
    }
}
