use clap::error::ErrorKind;

use super::*;
use crate::domain::definition::{Kind, Priority};

fn read(words: &str) -> Result<Args, clap::Error> {
    try_parse(std::iter::once("orchestrator").chain(words.split_whitespace()))
}

fn verb(words: &str) -> Verb {
    read(words).unwrap_or_else(|e| panic!("{words}: {e}")).verb
}

#[test]
fn the_grammar_is_sound() {
    help::command().debug_assert();
}

#[test]
fn every_verb_is_in_one_group() {
    let command = help::command();
    let mut verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let mut grouped: Vec<&str> = help::GROUPS
        .iter()
        .flat_map(|(_, names)| *names)
        .copied()
        .collect();
    verbs.sort_unstable();
    grouped.sort_unstable();
    assert_eq!(verbs, grouped);
}

#[test]
fn every_verb_of_the_contract_is_understood() {
    for words in [
        "init",
        "init dir",
        "up",
        "tick",
        "tick --wait",
        "status --watch",
        "status --json --all --project P",
        "show a",
        "why a",
        "plan",
        "logs a -f",
        "logs a --attempt 2 --raw",
        "evidence a",
        "evidence a shots --to dir --json",
        "lint",
        "lint a.md b.md --json",
        "pause a",
        "resume a",
        "cancel a --reason x",
        "retry a",
        "approve a --comment x",
        "reject a",
        "answer a yes do it",
        "validate a --json",
        "stop --all",
        "start",
        "migrate",
        "migrate --check",
        "migrate --plan",
        "backup",
        "backup /mnt/backups",
        "restore a.backup --replace",
        "restore a.backup --check",
        "restore --check",
        "doctor",
        "config show",
        "config check",
        "config path",
        "slack manifest",
        "slack manifest --surface team --url https://h/chat/team --name Fleet",
        "demo --keep",
        "completions bash",
        "agent heartbeat --pct 45 --phase tests",
        "agent log a b c",
        "agent criterion 2 check tests, src/a.rs:12",
        "agent ask which one?",
        "agent spawn --id a --title t --description d --tier haiku --depends-on b,c --validation true",
        "agent done",
        "agent blocked --reason x",
        "agent continue",
        "agent needs-stronger-model",
    ] {
        verb(words);
    }
}

#[test]
fn mistakes_are_refused_with_a_hint() {
    let rows = [
        ("stauts", ErrorKind::InvalidSubcommand, "'status'"),
        ("status --wach", ErrorKind::UnknownArgument, "--watch"),
        ("stop", ErrorKind::MissingRequiredArgument, "--all"),
        (
            "show ../etc",
            ErrorKind::ValueValidation,
            "must start with a letter",
        ),
        ("add x --priority hihg", ErrorKind::InvalidValue, "high"),
        ("agent heartbeat --pct 101", ErrorKind::ValueValidation, "0..=100"),
        ("status --watch --json", ErrorKind::ArgumentConflict, "--json"),
        ("migrate --check --plan", ErrorKind::ArgumentConflict, "--plan"),
        ("restore", ErrorKind::MissingRequiredArgument, "FILE"),
        (
            "restore a --check --replace",
            ErrorKind::ArgumentConflict,
            "--replace",
        ),
        (
            "",
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            "Get going",
        ),
    ];
    for (words, kind, hint) in rows {
        let error = read(words).expect_err(words);
        assert_eq!(error.kind(), kind, "{words}");
        assert!(error.to_string().contains(hint), "{words}: {error}");
        assert_eq!(error.exit_code(), 2, "{words}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for words in ["--help", "--version", "status --help"] {
        assert!(!read(words).expect_err(words).use_stderr(), "{words}");
    }
}

#[test]
fn an_added_task_is_typed() {
    let Verb::Add(add) = verb("add x --type continuous --priority P1 --depends-on a,b --depends-on c") else {
        panic!("not an addition");
    };
    assert_eq!((add.kind, add.priority), (Kind::Continuous, Priority::High));
    let depends: Vec<String> = add.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(depends, ["a", "b", "c"]);
    let Verb::Add(plain) = verb("add x") else {
        panic!("not an addition")
    };
    assert_eq!((plain.kind, plain.priority), (Kind::OneOff, Priority::Medium));
}

#[test]
fn common_options_stand_before_or_after_the_verb() {
    let before = read("--home /x --json --no-color -vv status").unwrap();
    let after = read("status --home /x --json --no-color -vv").unwrap();
    assert_eq!(before, after);
    assert_eq!(before.common.verbose, 2);
}

#[test]
fn help_reads_well() {
    insta::assert_snapshot!("help", help::command().render_help().to_string());
    let mut command = help::command();
    command.build();
    let add = command.find_subcommand_mut("add").expect("add").render_help();
    insta::assert_snapshot!("help_add", add.to_string());
}

#[test]
fn completions_name_every_verb() {
    let mut out = Vec::new();
    clap_complete::generate(
        clap_complete::Shell::Bash,
        &mut help::command(),
        "orchestrator",
        &mut out,
    );
    let script = String::from_utf8(out).unwrap();
    for name in help::GROUPS.iter().flat_map(|(_, names)| *names) {
        assert!(script.contains(&format!("orchestrator,{name})")), "{name}");
    }
}
