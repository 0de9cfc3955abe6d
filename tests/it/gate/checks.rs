//! Single checks: where they run, what they see, how they end, and that nothing of them stays alive.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use orchestrator::domain::gate::{CheckVerdict, Verdict};
use orchestrator::gate::Gate;

use super::{Case, check, run};
use crate::workspace::world::git;

/// The end of a number of seconds that no other process sleeps for.
fn naps() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("0000.{}{n:03}", std::process::id())
}

/// Whether any process on this machine shows this word in its arguments.
fn alive(word: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|e| fs::read(e.path().join("cmdline")).ok())
        .any(|line| line.split(|b| *b == 0).any(|arg| arg == word.as_bytes()))
}

#[tokio::test]
async fn checks_run_in_a_fresh_checkout_of_the_exact_commit() {
    let case = Case::new().await;
    case.write("b.txt", "committed");
    let commit = case.commit();
    case.write("b.txt", "uncommitted");
    case.write("c.txt", "uncommitted");
    let script = "test \"$(cat b.txt)\" = committed\ntest ! -e c.txt\necho at $(pwd)";
    let report = run(&case.request(&commit, &[check(script)])).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report:#?}");
    assert_eq!(report.commit, commit);
    assert_eq!(
        report.tree,
        git(&case.workspace.top, &["rev-parse", "HEAD^{tree}"])
    );
    let first = &report.receipts[0];
    assert_eq!(
        (first.exit_code, first.commit.as_str(), first.command.as_str()),
        (Some(0), commit.as_str(), script)
    );
    assert_ne!(Path::new(&first.directory), case.workspace.root);
    assert!(first.output_tail.contains(&first.directory));
    assert_eq!(first.trace.tree, report.tree);
    assert_eq!(
        (first.trace.environment.len(), first.trace.sandbox.as_str()),
        (64, "")
    );
    let again = run(&case.request(&commit, &[check(script)])).await;
    assert_eq!(
        again.receipts[0].trace, first.trace,
        "the same commit, the same environment"
    );
    while fs::read_dir(case.world.state("gate")).unwrap().count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        git(&case.world.path("repo"), &["worktree", "list"])
            .lines()
            .count(),
        2,
        "the repository knows nothing of it"
    );
}

#[tokio::test]
async fn every_exit_code_is_told_and_only_zero_is_green() {
    let case = Case::new().await;
    for (script, verdict, code) in [
        ("true", CheckVerdict::Passed, Some(0)),
        ("exit 1", CheckVerdict::Failed, Some(1)),
        ("exit 75", CheckVerdict::Failed, Some(75)),
        ("exit 101", CheckVerdict::Failed, Some(101)),
        ("false\ntrue", CheckVerdict::Failed, Some(1)),
        ("echo $NO_SUCH_VARIABLE", CheckVerdict::Failed, Some(2)),
        ("no-such-command-anywhere", CheckVerdict::Failed, Some(127)),
        ("kill -9 $$", CheckVerdict::Failed, None),
        // Skipped, neutral, empty, nothing run: nobody said that it works.
        ("exit 77", CheckVerdict::Failed, Some(77)),
        ("exit 5", CheckVerdict::Failed, Some(5)),
        ("exit 125", CheckVerdict::Failed, Some(125)),
        ("", CheckVerdict::Error, None),
        ("# to be written\n", CheckVerdict::Error, None),
        (
            "echo 'test result: ok. 0 passed; 0 failed; 3 ignored'",
            CheckVerdict::Failed,
            Some(0),
        ),
        ("echo collected 0 items", CheckVerdict::Failed, Some(0)),
        ("echo '3 passed in 0.10s'", CheckVerdict::Passed, Some(0)),
        ("if then", CheckVerdict::Failed, Some(2)),
        ("#!/bin/bash\n[[ a == a ]]", CheckVerdict::Passed, Some(0)),
    ] {
        let receipt = case.one(script).await;
        assert_eq!(
            (receipt.verdict, receipt.exit_code),
            (verdict, code),
            "{script}: {}",
            receipt.output_tail
        );
    }
}

#[tokio::test]
async fn a_check_sees_the_allow_list_and_what_is_given_and_no_input() {
    let case = Case::new().await;
    let head = case.workspace.head().await.unwrap();
    let checks = [check(
        "env | sort\ntest \"$GIVEN_TOKEN\" = sesame-sesame\ntest -z \"$(cat)\"",
    )];
    let mut request = case.request(&head, &checks);
    request
        .env
        .insert("GIVEN_TOKEN".to_owned(), "sesame-sesame".to_owned());
    let report = run(&request).await;
    let first = &report.receipts[0];
    assert_eq!(first.verdict, CheckVerdict::Passed, "{}", first.output_tail);
    assert!(first.output_tail.contains("GIVEN_TOKEN=***") && !first.output_tail.contains("sesame"));
    let allowed = [
        "PATH",
        "HOME",
        "LANG",
        "TERM",
        "TMPDIR",
        "CI",
        "GIT_TERMINAL_PROMPT",
        "PYTHONPYCACHEPREFIX",
        "GIVEN_TOKEN",
        "ORCHESTRATOR_CHECK_RUN",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for line in first.output_tail.lines() {
        let name = line.split('=').next().unwrap();
        assert!(allowed.contains(&name), "{line} leaked");
    }
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_killed_with_everything_it_started() {
    let case = Case::new().await;
    let nap = naps();
    let mut slow = check(&format!(
        "trap '' TERM\n\
         setsid sleep 1{nap} &\n\
         env -i setsid sleep 2{nap} &\n\
         (cd / && setsid sleep 3{nap}) &\n\
         sleep 4{nap} &\n\
         echo all started\n\
         sleep 5{nap}\nsleep 6{nap}"
    ));
    slow.timeout = Some(Duration::from_secs(2));
    let began = Instant::now();
    let report = case.judge(&[slow]).await;
    let seen = &report.receipts[0];
    assert_eq!((seen.verdict, seen.exit_code), (CheckVerdict::TimedOut, None));
    assert_eq!(seen.output_tail, "all started\n");
    assert!(began.elapsed() < Duration::from_secs(20));
    for n in 1..=6 {
        assert!(!alive(&format!("{n}{nap}")), "sleep {n} lives");
    }
}

#[tokio::test]
async fn a_server_left_running_is_gone_before_the_next_check() {
    let case = Case::new().await;
    let nap = naps();
    let server = format!("setsid sleep 1{nap} &\necho started");
    let checks = [check(&server), check("echo next")];
    let began = Instant::now();
    let report = case.judge(&checks[..1]).await;
    assert_eq!(report.receipts[0].verdict, CheckVerdict::Passed);
    assert!(!alive(&format!("1{nap}")));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "its open pipe is not waited for"
    );
    assert_eq!(case.judge(&checks).await.verdict(), Verdict::Passed);
}

#[tokio::test]
async fn a_gate_that_is_dropped_leaves_no_process() {
    let case = Case::new().await;
    let nap = naps();
    let head = case.workspace.head().await.unwrap();
    let flag = case.world.path("started");
    let checks = [check(&format!(
        "setsid sleep 1{nap} &\ntouch {}\nsleep 2{nap}",
        flag.display()
    ))];
    let request = case.request(&head, &checks);
    let running = Gate.run(&request, &Utc::now);
    let started = async {
        while !flag.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = running => panic!("it cannot end"),
        () = started => {}
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive(&format!("1{nap}")) || alive(&format!("2{nap}")) {
        assert!(Instant::now() < deadline, "processes are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fs::read_dir(case.world.state("gate")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_flood_of_output_is_bounded() {
    let case = Case::new().await;
    let receipt = case
        .one("head -c 104857600 /dev/zero | tr '\\0' 'x'\necho\necho the end")
        .await;
    assert_eq!(receipt.verdict, CheckVerdict::Passed);
    assert!(receipt.output_tail.len() < 9 * 1024);
    assert!(receipt.output_tail.ends_with("the end\n"));
    assert_eq!(receipt.output_sha256.len(), 64);
    let small = case.one("printf 'abc'").await;
    assert_eq!(small.output_tail, "abc");
    assert_eq!(
        small.output_sha256,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
