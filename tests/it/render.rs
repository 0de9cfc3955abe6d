//! What depends on the process: colour by its environment, exit codes by its arguments.
//!
//! The questions are asked in a child: this binary again, told by `RENDER_ASKS` what to answer.

use std::process::Command;

use orchestrator::cli::{args, render::Look};

/// Answers in the child; has nothing to do otherwise.
#[test]
fn answers_in_the_child() {
    let Ok(words) = std::env::var("RENDER_ASKS") else {
        return;
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    match words.split_first() {
        Some((&"look", rest)) => {
            let look = Look::stdout(rest == ["--no-color"], chrono::DateTime::UNIX_EPOCH);
            println!("\nanswer: {} {}", look.color, look.width);
        }
        _ => {
            let code = args::parse(words).map_or_else(|exit| exit.code(), |_| 0);
            std::process::exit(i32::from(code));
        }
    }
}

fn child(words: &str, variables: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args(["render::answers_in_the_child", "--exact", "--nocapture"])
        .env("RENDER_ASKS", words);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "ORCHESTRATOR_HOME"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().expect("a child")
}

fn answer(words: &str, variables: &[(&str, &str)]) -> String {
    let out = String::from_utf8(child(words, variables).stdout).expect("text");
    let answer = out.lines().find_map(|line| line.strip_prefix("answer: "));
    answer.unwrap_or_else(|| panic!("no answer in {out}")).to_owned()
}

#[test]
fn colour_only_where_it_is_wanted() {
    let forced = ("CLICOLOR_FORCE", "1");
    assert_eq!(answer("look", &[]), "false 120", "a pipe is no terminal");
    assert_eq!(answer("look", &[forced]), "true 120");
    assert_eq!(answer("look", &[forced, ("NO_COLOR", "1")]), "false 120");
    assert_eq!(answer("look --no-color", &[forced]), "false 120");
}

#[test]
fn exit_codes_of_arguments() {
    let rows = [
        ("orchestrator --help", 0, "Usage:"),
        ("orchestrator status --help", 0, "--watch"),
        ("orchestrator --version", 0, "orchestrator 0"),
        ("orchestrator status", 0, ""),
        (
            "orchestrator stauts",
            2,
            "similar subcommands exist: 'pause', 'start', 'status'",
        ),
        ("orchestrator", 2, "Usage:"),
        ("orchestrator add ..", 2, "is no task id"),
    ];
    for (words, code, said) in rows {
        let out = child(words, &[]);
        let stream = if code == 0 { &out.stdout } else { &out.stderr };
        let text = String::from_utf8_lossy(stream);
        assert_eq!(out.status.code(), Some(code), "{words}: {text}");
        assert!(text.contains(said), "{words}: {text}");
        assert!(!text.contains('\u{1b}'), "{words}: {text:?}");
    }
}

#[test]
fn mistakes_are_plain_where_no_colour_is_asked_for() {
    let forced = [("CLICOLOR_FORCE", "1")];
    let coloured = child("orchestrator stauts", &forced).stderr;
    let plain = child("orchestrator --no-color stauts", &forced).stderr;
    assert!(coloured.contains(&0x1b) && !plain.contains(&0x1b));
}
