//! Failures that the base has already: the worker is held to the difference, by the names of tests.

use std::fs;

use orchestrator::domain::gate::{CheckSource, CheckSpec, CheckVerdict, Receipt, Verdict};

use super::{Case, check};
use crate::workspace::world::{World, commit_all};

/// A repository with these files, and a workspace of it.
async fn project(files: &[(&str, &str)]) -> Case {
    let world = World::new();
    let repo = world.path("repo");
    for (name, text) in files {
        fs::write(repo.join(name), text).unwrap();
    }
    commit_all(&repo, "project");
    let workspace = world.prepare("t", "../repo").await.unwrap();
    Case { world, workspace }
}

async fn judged(case: &Case, checks: &[CheckSpec]) -> (Receipt, Verdict) {
    case.commit();
    let report = case.judge(checks).await;
    (report.receipts[0].clone(), report.verdict())
}

const PYTHON: &str = "import unittest, m\n\n\nclass T(unittest.TestCase):\n    def test_old(self):\n        self.assertEqual(m.old(), 1)\n\n    def test_good(self):\n        self.assertEqual(m.good(), 1)\n";

/// Seen to fail with `bench.hold_to_difference` taken out of `Gate::run`: the honest one is red, too.
#[tokio::test]
async fn what_failed_before_is_told_and_what_is_new_is_red() {
    let base = "def old():\n    return 0\n\n\ndef good():\n    return 1\n";
    let case = project(&[("m.py", base), ("test_m.py", PYTHON)]).await;
    let own = [check("python3 -m unittest")];
    let checks = own.clone().map(|check| CheckSpec {
        source: CheckSource::Config,
        ..check
    });
    case.write("m.py", &format!("{base}\n\ndef more():\n    return 2\n"));
    let (honest, verdict) = judged(&case, &checks).await;
    assert_eq!(
        (honest.verdict, honest.exit_code),
        (CheckVerdict::Passed, Some(1)),
        "{honest:#?}"
    );
    assert!(
        honest.output_tail.contains("old failures") && honest.output_tail.contains("test_old"),
        "{honest:#?}"
    );
    assert_eq!(verdict, Verdict::Passed);
    // What the task itself brings says what its work is.
    let (idle, verdict) = judged(&case, &own).await;
    assert_eq!((idle.verdict, verdict), (CheckVerdict::Failed, Verdict::Failed));
    assert!(idle.output_tail.contains("the task's own"), "{idle:#?}");

    case.write(
        "m.py",
        "def old():\n    return 0\n\n\ndef good():\n    return 2\n",
    );
    let (broken, verdict) = judged(&case, &checks).await;
    assert_eq!((broken.verdict, verdict), (CheckVerdict::Failed, Verdict::Failed));
    let words = broken.output_tail.trim_end().lines().last().unwrap();
    assert!(
        words.contains("only with the work") && words.contains("test_good") && !words.contains("test_old"),
        "{words}"
    );

    case.write("m.py", "import nothing_of_that_name\n");
    let (unimportable, _) = judged(&case, &checks).await;
    assert_eq!(unimportable.verdict, CheckVerdict::Failed, "{unimportable:#?}");
}

/// Seen to fail with the filter on `tells_all` taken out of `older::compare`: what comes behind the old failure is not seen.
#[tokio::test]
async fn where_not_all_is_known_it_stays_red_and_says_that_it_failed_before() {
    let case = project(&[
        (
            "m.py",
            "def old():\n    return 0\n\n\ndef good():\n    return 1\n",
        ),
        ("test_m.py", PYTHON),
    ])
    .await;
    case.write("b.txt", "b");
    for script in [
        "python3 -m unittest\ntest ! -e b.txt",
        "exit 3",
        "python3 -m unittest -f",
    ] {
        let (receipt, verdict) = judged(&case, &[check(script)]).await;
        assert_eq!(
            (receipt.verdict, verdict),
            (CheckVerdict::Failed, Verdict::Failed),
            "{script}"
        );
        assert!(
            receipt
                .output_tail
                .contains("too; which of its tests fail is not known"),
            "{receipt:#?}"
        );
        case.write("b.txt", script);
    }
    let (receipt, _) = judged(&case, &[check("! grep -q unittest b.txt")]).await;
    assert!(
        receipt
            .output_tail
            .contains("this check passes: the work broke it"),
        "{receipt:#?}"
    );
}

#[tokio::test]
async fn the_tests_of_a_package_are_told_apart_too() {
    let there = std::process::Command::new("node").arg("--version").output();
    if !there.is_ok_and(|out| out.status.success()) {
        eprintln!("node is not on this machine");
        return;
    }
    let test = "const test = require('node:test');\nconst assert = require('node:assert');\nconst m = require('./m.js');\ntest('old', () => assert.equal(m.old, 1));\ntest('good', () => assert.equal(m.good, 1));\n";
    let package = r#"{"name":"x","version":"1.0.0","scripts":{"test":"node --test"}}"#;
    let case = project(&[
        ("package.json", package),
        ("m.js", "module.exports = { old: 0, good: 1 };\n"),
        ("m.test.js", test),
    ])
    .await;
    case.write("m.js", "module.exports = { old: 0, good: 1, more: 2 };\n");
    let (honest, verdict) = judged(&case, &[]).await;
    assert_eq!(
        (honest.verdict, verdict),
        (CheckVerdict::Passed, Verdict::Passed),
        "{honest:#?}"
    );
    case.write("m.js", "module.exports = { old: 0, good: 2 };\n");
    let (broken, _) = judged(&case, &[]).await;
    assert_eq!(broken.verdict, CheckVerdict::Failed);
    assert!(
        broken
            .output_tail
            .contains("only with the work: m.test.js > good"),
        "{broken:#?}"
    );
}
