//! The truth table, with every recorded transcript as a row.

use super::*;

const LIMITED: E = E::RateLimited { until: None };

/// Every recorded transcript, the exit status that came with it, and what it means.
const TRUTH: [(&str, Status, E, &str); 35] = [
    (
        "bad_resume",
        Status::Code(1),
        E::Poisoned,
        "No conversation found",
    ),
    (
        "bypass_issandbox",
        Status::Code(0),
        E::Claimed,
        "Created the file",
    ),
    ("denied", Status::Code(0), E::Claimed, "refused tools: Write"),
    ("dontask", Status::Code(0), E::Claimed, "Created the file"),
    (
        "err_cut",
        Status::Code(0),
        E::Claimed,
        "cut after its first piece",
    ),
    (
        "err_e400credit",
        Status::Code(1),
        E::Auth,
        "Credit balance is too low",
    ),
    ("err_e400ctx", Status::Code(1), E::Poisoned, "Prompt is too long"),
    ("err_e401", Status::Code(1), E::Auth, "Invalid API key"),
    ("err_e429", Status::Code(1), LIMITED, "429"),
    ("err_e500", Status::Code(1), E::Overloaded, "500"),
    ("err_e529", Status::Code(1), E::Overloaded, "529"),
    ("err_econnrefused", Status::Code(1), E::Network, "ECONNREFUSED"),
    ("err_midstream", Status::Code(1), E::Overloaded, "mid-response"),
    ("err_nokey", Status::Code(1), E::Auth, "Not logged in"),
    ("max_budget", Status::Code(1), E::Budget, "maximum budget"),
    ("max_tokens", Status::Code(1), E::Failed, "output token maximum"),
    (
        "max_turns",
        Status::Code(1),
        E::MaxTurns,
        "maximum number of turns",
    ),
    ("mcp_abs", Status::Code(0), E::Claimed, "Reported."),
    ("old_197", Status::Code(0), E::Claimed, "Hello"),
    ("partial", Status::Code(0), E::Claimed, "Hello"),
    ("question", Status::Code(0), E::Claimed, "ok then"),
    ("recover_429x1", Status::Code(0), E::Claimed, "Recovered"),
    ("recover_529x2", Status::Code(0), E::Claimed, "Recovered"),
    ("refusal", Status::Code(1), E::Poisoned, "can't help with this"),
    ("resume", Status::Code(0), E::Claimed, "Hello"),
    ("retry_default_529", Status::Code(1), E::Overloaded, "529"),
    ("sigint_stream", Status::Code(0), E::Interrupted, "interrupted"),
    ("sigint_tool", Status::Code(0), E::Interrupted, "interrupted"),
    ("sigkill_stream", Status::Signal(9), E::Interrupted, "signal 9"),
    ("sigterm_stream", Status::Code(143), E::Interrupted, "143"),
    ("sigterm_tool", Status::Code(143), E::Interrupted, "143"),
    ("stdin_stream", Status::Code(0), E::Claimed, "Hello"),
    ("structured", Status::Code(0), E::Claimed, "verdict"),
    ("success_text", Status::Code(0), E::Claimed, "Hello"),
    ("success_tools", Status::Code(0), E::Claimed, "Created the file"),
];

#[test]
fn every_transcript_ends_as_it_truly_did() {
    let files = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let names: BTreeSet<String> = files
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        names,
        TRUTH.iter().map(|row| row.0.to_owned()).collect(),
        "a transcript without a row, or a row without one"
    );
    for (name, status, kind, words) in TRUTH {
        let ending = heard(name, &brief()).0.ending(&exited(status), None, "");
        assert_eq!(ending.kind, kind, "{name}: {}", ending.reason);
        assert!(ending.reason.contains(words), "{name}: {}", ending.reason);
    }
}

/// D4: neither the exit code nor the subtype decides.
#[test]
fn the_exit_code_alone_decides_nothing() {
    for (name, code, kind) in [
        ("err_e429", 0, LIMITED),
        ("err_e529", 0, E::Overloaded),
        ("success_tools", 1, E::Claimed),
        ("max_turns", 0, E::MaxTurns),
        ("sigterm_stream", 0, E::Silent),
        ("sigkill_stream", 1, E::Interrupted),
    ] {
        let ending = heard(name, &brief())
            .0
            .ending(&exited(Status::Code(code)), None, "");
        assert_eq!(ending.kind, kind, "{name} with exit {code}");
    }
    let flagged = heard("success_tools", &brief())
        .0
        .ending(&exited(Status::Code(1)), None, "");
    assert!(flagged.reason.contains("exit code 1"), "{}", flagged.reason);
}

#[test]
fn a_run_that_did_not_begin_says_why_on_standard_error() {
    for (stderr, kind) in [
        ("error: unknown option '--x'\n", E::Failed),
        (
            "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons\n",
            E::Failed,
        ),
        ("Invalid API key · Please run /login\n", E::Auth),
        ("No conversation found with session ID: x\n", E::Poisoned),
        ("", E::Failed),
    ] {
        let reader = ClaudeCode::new(Options::default()).reader(&brief());
        let ending = reader.ending(&exited(Status::Code(1)), None, stderr);
        assert_eq!(ending.kind, kind, "{stderr}");
        assert!(ending.reason.contains(stderr.trim()), "{}", ending.reason);
    }
}

#[test]
fn ends_from_outside_outrank_the_result() {
    for (cause, kind) in [
        (Cause::Vanished, E::Vanished),
        (Cause::Timeout, E::Interrupted),
        (Cause::Stopped, E::Interrupted),
    ] {
        let exit = Exit {
            cause,
            ..exited(Status::Code(0))
        };
        assert_eq!(
            heard("success_tools", &brief()).0.ending(&exit, None, "").kind,
            kind
        );
    }
}

#[test]
fn the_workers_own_word() {
    let file = |claim| OutcomeFile {
        claim: Some(claim),
        reason: Some("own words".into()),
        ..OutcomeFile::default()
    };
    for (name, claim, kind) in [
        ("success_tools", Claim::Done, E::Claimed),
        ("success_tools", Claim::Blocked, E::Blocked),
        ("success_tools", Claim::Continue, E::Continue),
        ("success_tools", Claim::NoChangeNeeded, E::NoChangeNeeded),
        ("success_tools", Claim::Failed, E::Failed),
        // It had come to an end before the trouble began.
        ("err_e429", Claim::Done, E::Claimed),
        ("err_e529", Claim::NeedsStrongerModel, E::NeedsStrongerModel),
        // It had not: the provider is the reason.
        ("err_e429", Claim::Continue, LIMITED),
        ("err_e401", Claim::Failed, E::Auth),
    ] {
        let ending = heard(name, &brief())
            .0
            .ending(&exited(Status::Code(1)), Some(&file(claim)), "");
        assert_eq!(ending.kind, kind, "{name} {claim:?}");
        assert_eq!(
            ending.reason == "own words",
            kind != LIMITED && kind != E::Auth,
            "{name} {claim:?}"
        );
    }
    let costs_only = OutcomeFile::parse(br#"{"cost_usd":1.0}"#).unwrap();
    assert_eq!(
        heard("success_text", &brief())
            .0
            .ending(&exited(Status::Code(0)), Some(&costs_only), "")
            .kind,
        E::Claimed
    );
}

/// Cut anywhere, with foreign bytes, with events from another year: never a panic, never a claim without a result.
#[test]
fn damaged_transcripts_never_claim() {
    for (name, ..) in TRUTH {
        let text = fs::read(fixtures().join(format!("{name}.jsonl"))).unwrap();
        let last_line = text
            .trim_ascii_end()
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        for cut in (0..last_line)
            .step_by(997)
            .chain([last_line, last_line + (text.len() - last_line) / 2])
        {
            let mut reader = ClaudeCode::new(Options::default()).reader(&brief());
            for line in text[..cut].split(|b| *b == b'\n') {
                reader.read(line);
            }
            let ending = reader.ending(&exited(Status::Signal(9)), None, "");
            assert!(
                ending.kind == E::Interrupted || name == "stdin_stream",
                "{name} cut at {cut}: {ending:?}"
            );
        }
    }
    let mut reader = ClaudeCode::new(Options::default()).reader(&brief());
    for odd in [
        &b"\xff\xfe"[..],
        b"null",
        b"[]",
        b"42",
        br#"{"type":"novelty","message":[1]}"#,
        br#"{"type":7}"#,
        br#"{"type":"assistant","message":{"content":"x"}}"#,
        &vec![b'{'; 70_000],
    ] {
        assert_eq!(reader.read(odd)[0], Signal::Alive);
    }
    let foreign = reader.read(b"{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"model\":\"x\",\"content\":[{\"type\":\"text\",\"text\":\"a\xffb\"}]}}");
    assert!(
        foreign.contains(&Signal::Said("a\u{fffd}b".into())),
        "{foreign:?}"
    );
}
