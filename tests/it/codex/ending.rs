//! The truth table, with every recorded transcript as a row.

use super::*;

const LIMITED: E = E::RateLimited { until: None };

/// Every recorded transcript, the exit status that came with it, and what it means.
const TRUTH: [(&str, Status, E, &str); 30] = [
    ("cmd_fail", Status::Code(0), E::Claimed, "It failed."),
    ("err_at_capacity", Status::Code(1), E::Overloaded, "at capacity"),
    (
        "err_context_window",
        Status::Code(1),
        E::Poisoned,
        "ran out of room",
    ),
    ("err_cut", Status::Code(1), E::Network, "stream disconnected"),
    ("err_e400credit", Status::Code(1), E::Auth, "credit balance"),
    ("err_e400ctx", Status::Code(1), E::Poisoned, "prompt is too long"),
    ("err_e401", Status::Code(1), E::Auth, "401"),
    ("err_e429", Status::Code(1), LIMITED, "429"),
    ("err_e500", Status::Code(1), E::Overloaded, "high demand"),
    ("err_e529", Status::Code(1), E::Overloaded, "529"),
    ("err_midstream", Status::Code(1), E::Overloaded, "Overloaded"),
    ("err_model", Status::Code(1), E::Failed, "does not exist"),
    ("err_plan", Status::Code(1), E::Auth, "upgrade to Plus"),
    ("err_quota", Status::Code(1), E::Auth, "Quota exceeded"),
    ("err_rate_event", Status::Code(1), LIMITED, "rate limit exceeded"),
    ("err_refused", Status::Code(1), E::Network, "Connection failed"),
    // The limit's end is asked for in a test of its own.
    ("err_usage_limit", Status::Code(1), LIMITED, "usage limit"),
    ("max_tokens", Status::Code(1), E::Failed, "max_output_tokens"),
    ("mcp", Status::Code(0), E::Claimed, "Reported."),
    ("mcp_unapproved", Status::Code(0), E::Claimed, "Reported."),
    ("patch", Status::Code(0), E::Claimed, "Patched."),
    ("recover_529x1", Status::Code(0), E::Claimed, "Recovered."),
    ("resume", Status::Code(0), E::Claimed, "Hello"),
    ("sandbox_denied", Status::Code(0), E::Claimed, "Created the file"),
    ("sigINT", Status::Code(1), E::Interrupted, "exit code 1"),
    ("sigKILL", Status::Code(137), E::Interrupted, "137"),
    ("sigTERM", Status::Code(143), E::Interrupted, "143"),
    ("silent", Status::Code(0), E::Claimed, "without a word"),
    ("success_text", Status::Code(0), E::Claimed, "Hello"),
    ("success_tools", Status::Code(0), E::Claimed, "Created the file"),
];

fn without_time(kind: E) -> E {
    match kind {
        E::RateLimited { .. } => LIMITED,
        kind => kind,
    }
}

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
        let (reader, signals) = heard(name, &brief());
        let ending = reader.ending(&exited(status), None, "");
        assert_eq!(without_time(ending.kind), kind, "{name}: {}", ending.reason);
        assert!(ending.reason.contains(words), "{name}: {}", ending.reason);
        assert!(!signals.contains(&Signal::Unreadable), "{name}");
    }
}

#[test]
fn a_usage_limit_says_when_it_ends() {
    let ending = heard("err_usage_limit", &brief())
        .0
        .ending(&exited(Status::Code(1)), None, "");
    let until = DateTime::from_timestamp(1_800_000_000, 0);
    assert_eq!(ending.kind, E::RateLimited { until });
}

#[test]
fn the_exit_code_alone_decides_nothing() {
    for (name, code, kind) in [
        ("err_e429", 0, LIMITED),
        ("err_e529", 0, E::Overloaded),
        ("success_tools", 1, E::Claimed),
        ("sigTERM", 0, E::Interrupted),
        ("sigKILL", 1, E::Interrupted),
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
        ("error: unexpected argument '--nope' found\n", E::Failed),
        (
            "Error: thread/resume: thread/resume failed: no rollout found for thread id 01a1 (code -32600)\n",
            E::Poisoned,
        ),
        ("Not logged in\n", E::Auth),
        ("", E::Failed),
    ] {
        let reader = Codex::new(Options::default()).reader(&brief());
        let ending = reader.ending(&exited(Status::Code(1)), None, stderr);
        assert_eq!(ending.kind, kind, "{stderr}");
        assert!(ending.reason.contains(stderr.trim()), "{}", ending.reason);
    }
}

#[test]
fn words_that_no_transcript_holds() {
    let failed = |words: &str| {
        let mut reader = Codex::new(Options::default()).reader(&brief());
        let event = serde_json::json!({"type": "turn.failed", "error": {"message": words}});
        reader.read(event.to_string().as_bytes());
        reader.ending(&exited(Status::Code(1)), None, "").kind
    };
    for (words, kind) in [
        (
            "unexpected status 403 Forbidden: Country not supported, url: http://x/v1/responses",
            E::Auth,
        ),
        (
            "unexpected status 502 Bad Gateway: bad gateway, url: http://x/v1/responses",
            E::Overloaded,
        ),
        (
            "unexpected status 400 Bad Request: no, url: http://x/v1/responses",
            E::Poisoned,
        ),
        ("Missing environment variable: `CODEX_API_KEY`.", E::Auth),
        (
            "Your workspace is out of credits. Add credits to continue.",
            E::Auth,
        ),
        (
            "stream disconnected before completion: Incomplete response returned, reason: content_filter",
            E::Poisoned,
        ),
        ("something new", E::Failed),
        ("", E::Failed),
    ] {
        assert_eq!(failed(words), kind, "{words}");
    }
}

#[test]
fn ends_from_outside_outrank_the_closing_event() {
    for (cause, kind) in [
        (Cause::Vanished, E::Vanished),
        (Cause::Timeout, E::Interrupted),
        (Cause::Stopped, E::Interrupted),
    ] {
        let exit = Exit {
            cause,
            ..exited(Status::Code(0))
        };
        let ending = heard("success_tools", &brief()).0.ending(&exit, None, "");
        assert_eq!(ending.kind, kind);
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
        // It had come to an end before the trouble began.
        ("err_e529", Claim::NeedsStrongerModel, E::NeedsStrongerModel),
        // It had not: the provider is the reason.
        ("err_e429", Claim::Continue, LIMITED),
        ("err_e401", Claim::Failed, E::Auth),
    ] {
        let ending = heard(name, &brief())
            .0
            .ending(&exited(Status::Code(1)), Some(&file(claim)), "");
        assert_eq!(ending.kind, kind, "{name} {claim:?}");
        let own = kind != LIMITED && kind != E::Auth;
        assert_eq!(ending.reason == "own words", own, "{name} {claim:?}");
    }
}

/// Cut anywhere, with foreign bytes, with events from another year: never a panic, never a claim without a closing.
#[test]
fn damaged_transcripts_never_claim() {
    for (name, ..) in TRUTH {
        let text = fs::read(fixtures().join(format!("{name}.jsonl"))).unwrap();
        let last_line = text
            .trim_ascii_end()
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        for cut in (0..last_line).step_by(97).chain([last_line]) {
            let mut reader = Codex::new(Options::default()).reader(&brief());
            for line in text[..cut].split(|b| *b == b'\n') {
                reader.read(line);
            }
            let ending = reader.ending(&exited(Status::Signal(9)), None, "");
            assert_eq!(ending.kind, E::Interrupted, "{name} cut at {cut}: {ending:?}");
        }
    }
    let mut reader = Codex::new(Options::default()).reader(&brief());
    for odd in [
        &b"\xff\xfe"[..],
        b"null",
        b"[]",
        b"42",
        br#"{"type":"novelty","item":{"type":"x"}}"#,
        br#"{"type":7}"#,
        br#"{"type":"item.completed","item":{"type":"agent_message","text":3}}"#,
        br#"{"type":"item.completed","item":null}"#,
        br#"{"type":"turn.completed","usage":null}"#,
        &vec![b'{'; 70_000],
    ] {
        assert_eq!(reader.read(odd)[0], Signal::Alive);
    }
}
