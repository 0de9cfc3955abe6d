//! The gate over real repositories: what it runs, what it believes, and what it leaves behind (nothing).

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use orchestrator::domain::gate::{
    Category, CheckSource, CheckSpec, CheckVerdict, GateReport, Receipt, Verdict,
};
use orchestrator::gate::{Gate, GateRequest, Standing, feedback, standings};
use orchestrator::workspace::Workspace;

use crate::workspace::{World, commit_all, git};

struct Case {
    world: World,
    workspace: Workspace,
}

impl Case {
    async fn new() -> Self {
        let world = World::new();
        let workspace = world.prepare("t", "../repo").await.unwrap();
        Self { world, workspace }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.workspace.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        commit_all(&self.workspace.root, "work")
    }

    fn request<'a>(&'a self, commit: &'a str, checks: &'a [CheckSpec]) -> GateRequest<'a> {
        GateRequest {
            workspace: &self.workspace,
            commit,
            checks,
            default_timeout: Duration::from_secs(60),
            env: BTreeMap::new(),
            require_progress: false,
            progress_missing: None,
            worker_entries: 0,
        }
    }

    async fn judge(&self, checks: &[CheckSpec]) -> GateReport {
        let head = self.workspace.head().await.unwrap();
        run(&self.request(&head, checks)).await
    }

    async fn one(&self, script: &str) -> Receipt {
        self.judge(&[check(script)]).await.receipts.swap_remove(0)
    }
}

async fn run(request: &GateRequest<'_>) -> GateReport {
    Gate.run(request, &Utc::now).await.unwrap()
}

fn check(script: &str) -> CheckSpec {
    CheckSpec {
        name: "check".to_owned(),
        category: Category::Functionality,
        run: script.to_owned(),
        timeout: None,
        source: CheckSource::Task,
    }
}

fn receipt<'a>(report: &'a GateReport, name: &str) -> &'a Receipt {
    report
        .receipts
        .iter()
        .find(|r| r.name == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#?}"))
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
    assert!(!Path::new(&first.directory).exists(), "nothing is left");
    assert_eq!(fs::read_dir(case.world.state("gate")).unwrap().count(), 0);
    assert_eq!(
        git(&case.world.path("repo"), &["worktree", "list"])
            .lines()
            .count(),
        2
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
    let mut slow = check(
        "trap '' TERM\nsetsid sleep 86123.25 &\nenv -i setsid sleep 86124.25 &\nsleep 86125.25 &\nsleep 86126.25\nsleep 86127.25",
    );
    slow.timeout = Some(Duration::from_millis(300));
    let began = Instant::now();
    let report = case.judge(&[slow]).await;
    assert_eq!(report.receipts[0].verdict, CheckVerdict::TimedOut);
    assert_eq!(report.receipts[0].exit_code, None);
    assert!(began.elapsed() < Duration::from_secs(15));
    for n in 3..=7 {
        assert!(!alive(&format!("8612{n}.25")), "sleep {n} lives");
    }
}

#[tokio::test]
async fn a_server_left_running_is_gone_before_the_next_check() {
    let case = Case::new().await;
    let checks = [check("setsid sleep 86223.25 &\necho started"), check("echo next")];
    let began = Instant::now();
    let report = case.judge(&checks[..1]).await;
    assert_eq!(report.receipts[0].verdict, CheckVerdict::Passed);
    assert!(!alive("86223.25"));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "its open pipe is not waited for"
    );
    assert_eq!(case.judge(&checks).await.verdict(), Verdict::Passed);
}

#[tokio::test]
async fn a_gate_that_is_dropped_leaves_no_process() {
    let case = Case::new().await;
    let head = case.workspace.head().await.unwrap();
    let flag = case.world.path("started");
    let checks = [check(&format!(
        "setsid sleep 86323.25 &\ntouch {}\nsleep 86324.25",
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
    while alive("86323.25") || alive("86324.25") {
        assert!(Instant::now() < deadline, "processes are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fs::read_dir(case.world.state("gate")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_check_that_moves_head_is_void() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    for script in [
        "git checkout -q HEAD~1",
        "git -c user.name=x -c user.email=x@y commit -q --allow-empty -m moved",
        "rm -rf .git",
    ] {
        let report = case.judge(&[check(script)]).await;
        assert_eq!(report.receipts[0].verdict, CheckVerdict::Error, "{script}");
        assert!(
            report.receipts[0].output_tail.contains("receipt"),
            "{}",
            report.receipts[0].output_tail
        );
        assert_eq!(report.verdict(), Verdict::Failed);
    }
}

#[tokio::test]
async fn files_that_a_check_makes_or_changes_make_the_tree_dirty() {
    let case = Case::new().await;
    case.write(".gitignore", "out/\n");
    case.commit();
    for (script, clean) in [
        ("mkdir out && touch out/x", true),
        ("mkdir -p node_modules/y && touch node_modules/y/z", true),
        (
            "mkdir t && printf 'Signature: 8a477f597d28d172789f06886806bc55\\n' > t/CACHEDIR.TAG",
            true,
        ),
        ("echo x > made.txt", false),
        ("echo x > a.txt", false),
        ("rm a.txt", false),
        ("git update-index --skip-worktree a.txt && echo x > a.txt", false),
        ("touch a.txt", true),
    ] {
        let report = case.judge(&[check(script)]).await;
        let seen = receipt(&report, "git-clean");
        assert_eq!(
            seen.verdict == CheckVerdict::Passed,
            clean,
            "{script}: {}",
            seen.output_tail
        );
        assert_eq!(
            (seen.source, seen.category),
            (CheckSource::House, Category::Integration)
        );
        assert_eq!(report.verdict() == Verdict::Passed, clean, "{script}");
    }
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

#[tokio::test]
async fn a_result_of_another_commit_does_not_count() {
    let case = Case::new().await;
    let green = case.judge(&[check("true")]).await;
    assert_eq!(green.verdict(), Verdict::Passed);
    case.write("b.txt", "b");
    let mut next = case.judge(&[check("exit 3")]).await;
    assert_eq!(next.commit, green.commit, "what is not committed is not judged");
    case.commit();
    next = case.judge(&[check("exit 3")]).await;
    assert_ne!(next.commit, green.commit);
    next.receipts[0] = green.receipts[0].clone();
    assert_eq!(next.verdict(), Verdict::Failed);
    assert!(feedback(&next).contains("another commit"));
}

#[tokio::test]
async fn a_moved_base_that_conflicts_is_red() {
    let case = Case::new().await;
    case.write("a.txt", "worker\n");
    case.commit();
    let repo = case.world.path("repo");
    fs::write(repo.join("a.txt"), "base\n").unwrap();
    commit_all(&repo, "base moves");
    let report = case.judge(&[check("true")]).await;
    let merge = receipt(&report, "merges-with-base");
    assert_eq!(merge.verdict, CheckVerdict::Failed);
    assert!(merge.output_tail.contains("a.txt") && merge.command.contains("refs/heads/main"));
    assert_eq!(report.verdict(), Verdict::Failed);
    let standing: BTreeMap<_, _> = standings(&report).into();
    assert_eq!(standing[&Category::Integration], Standing::Red);
    assert_eq!(standing[&Category::Dependencies], Standing::Absent);
    assert!(feedback(&report).contains("merges-with-base"));
}

#[tokio::test]
async fn a_moved_base_is_tested_together_with_the_work() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    let repo = case.world.path("repo");
    fs::write(repo.join("c.txt"), "c").unwrap();
    commit_all(&repo, "base moves");
    let good = case.judge(&[check("test -e b.txt")]).await;
    assert_eq!(good.verdict(), Verdict::Passed, "{good:#?}");
    let again: Vec<_> = good
        .receipts
        .iter()
        .filter(|r| r.category == Category::Dependencies)
        .collect();
    assert_eq!(again.len(), 1);
    assert!(again[0].name.starts_with("check (merged with ") && again[0].source == CheckSource::Task);
    // Fine alone, broken together.
    let bad = case.judge(&[check("test ! -e c.txt")]).await;
    assert_eq!(bad.receipts[0].verdict, CheckVerdict::Passed);
    let standing: BTreeMap<_, _> = standings(&bad).into();
    assert_eq!(standing[&Category::Dependencies], Standing::Red);
    assert_eq!(bad.verdict(), Verdict::Failed);
}

#[tokio::test]
async fn an_unmoved_base_speaks_for_the_dependencies() {
    let case = Case::new().await;
    let report = case.judge(&[check("true")]).await;
    assert_eq!(receipt(&report, "base-unmoved").category, Category::Dependencies);
    let mut own = check("true");
    own.category = Category::Dependencies;
    let report = case.judge(&[own]).await;
    assert!(
        report.receipts.iter().all(|r| r.name != "base-unmoved"),
        "a check of the project's own speaks"
    );
}

#[tokio::test]
async fn with_nothing_to_run_a_person_decides() {
    let case = Case::new().await;
    let report = case.judge(&[]).await;
    assert_eq!(report.verdict(), Verdict::NeedsPerson);
    assert!(report.receipts.iter().all(|r| r.source == CheckSource::House));
    let standing: BTreeMap<_, _> = standings(&report).into();
    assert_eq!(standing[&Category::Functionality], Standing::Absent);
    assert_eq!(standing[&Category::Dependencies], Standing::Absent);
    assert_eq!(standing[&Category::Integration], Standing::Green);
}

#[tokio::test]
async fn the_progress_file_is_asked_for_where_the_configuration_says_so() {
    let case = Case::new().await;
    let head = case.workspace.head().await.unwrap();
    let checks = [check("true")];
    for (missing, entries, wanted) in [
        (Some(vec![]), 1, Standing::Green),
        (Some(vec!["Work Log".to_owned()]), 1, Standing::Red),
        (Some(vec![]), 0, Standing::Red),
        (None, 3, Standing::Red),
    ] {
        let mut request = case.request(&head, &checks);
        request.require_progress = true;
        request.progress_missing = missing.clone();
        request.worker_entries = entries;
        let report = run(&request).await;
        let standing: BTreeMap<_, _> = standings(&report).into();
        assert_eq!(
            standing[&Category::Documentation],
            wanted,
            "{missing:?} {entries}"
        );
        assert_eq!(report.verdict() == Verdict::Passed, wanted == Standing::Green);
    }
    let free = run(&case.request(&head, &checks)).await;
    let standing: BTreeMap<_, _> = standings(&free).into();
    assert_eq!(standing[&Category::Documentation], Standing::Absent);
}

#[tokio::test]
async fn detected_checks_come_from_the_base_and_the_commit() {
    let world = World::new();
    let repo = world.path("repo");
    fs::write(repo.join("Makefile"), "test:\n\ttest -e a.txt\n").unwrap();
    commit_all(&repo, "makefile");
    let workspace = world.prepare("t", "../repo").await.unwrap();
    let case = Case { world, workspace };
    let report = case.judge(&[]).await;
    assert_eq!(receipt(&report, "make test").source, CheckSource::Detected);
    assert_eq!(report.verdict(), Verdict::Passed, "{report:#?}");
    fs::remove_file(case.workspace.root.join("Makefile")).unwrap();
    case.commit();
    let report = case.judge(&[]).await;
    assert_eq!(
        receipt(&report, "make test").verdict,
        CheckVerdict::Failed,
        "the base still asks for it"
    );
    case.write("Makefile", "test:\n\ttrue\nbuild:\n\ttrue\n");
    case.commit();
    let report = case.judge(&[]).await;
    assert_eq!(receipt(&report, "make build").verdict, CheckVerdict::Passed);
    assert_eq!(report.verdict(), Verdict::Passed);
}

#[tokio::test]
async fn honest_small_projects_pass_with_their_detected_checks() {
    let projects: [(&str, &[(&str, &str)]); 3] = [
        (
            "python3",
            &[
                ("pyproject.toml", ""),
                ("m.py", "def f():\n    return 1\n"),
                ("tests/__init__.py", ""),
                (
                    "tests/test_m.py",
                    "import unittest, m\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(m.f(), 1)\n",
                ),
            ],
        ),
        (
            "npm",
            &[
                (
                    "package.json",
                    r#"{"name":"x","version":"1.0.0","scripts":{"test":"node t.js"}}"#,
                ),
                ("t.js", "require('assert').equal(1, 1)\n"),
            ],
        ),
        (
            "cargo",
            &[
                (
                    "Cargo.toml",
                    "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
                ),
                (
                    "Cargo.lock",
                    "version = 3\n\n[[package]]\nname = \"x\"\nversion = \"0.1.0\"\n",
                ),
                (
                    "src/lib.rs",
                    "pub fn f() -> u8 { 1 }\n#[test]\nfn t() { assert_eq!(f(), 1) }\n",
                ),
            ],
        ),
    ];
    for (tool, files) in projects {
        let there = std::process::Command::new(tool).arg("--version").output();
        if !there.is_ok_and(|out| out.status.success()) {
            eprintln!("{tool} is not on this machine");
            continue;
        }
        let world = World::new();
        let workspace = world
            .all
            .prepare(&"t".parse().unwrap(), None, "x", &[])
            .await
            .unwrap();
        let case = Case { world, workspace };
        for (name, text) in files {
            case.write(name, text);
        }
        let start = case.workspace.base.commit.clone();
        case.workspace.commit_leftovers("work", &start).await.unwrap();
        let report = case.judge(&[]).await;
        assert_eq!(report.verdict(), Verdict::Passed, "{tool}: {report:#?}");
    }
}

#[tokio::test]
async fn the_gate_fails_to_run_only_where_there_is_nothing_to_look_at() {
    let case = Case::new().await;
    let unknown = "0123456789012345678901234567890123456789";
    let error = Gate
        .run(&case.request(unknown, &[]), &Utc::now)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(unknown));
}

#[tokio::test]
async fn the_future_can_be_spawned() {
    let case = std::sync::Arc::new(Case::new().await);
    let theirs = case.clone();
    let report = tokio::spawn(async move { theirs.judge(&[check("true")]).await })
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Passed);
}
