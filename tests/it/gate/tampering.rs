//! Changes of tests and checks: who weakens them does not pass without a person's word; who is honest does.

use std::fs;

use orchestrator::domain::gate::{CheckVerdict, Verdict};
use orchestrator::gate::{Standing, feedback, standings};

use super::{Case, check, receipt, run};
use crate::workspace::world::{World, commit_all};

const TEST: &str = "import unittest, m\n\n\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(m.f(), 1)\n";

/// A repository with a test, a script that a check runs, and a Makefile.
async fn project() -> Case {
    let world = World::new();
    let repo = world.path("repo");
    fs::create_dir(repo.join("tests")).unwrap();
    for (name, text) in [
        ("m.py", "def f():\n    return 1\n"),
        ("tests/test_m.py", TEST),
        ("check.sh", "test -e m.py\n"),
        ("Makefile", "test:\n\ttest -e m.py\n"),
    ] {
        fs::write(repo.join(name), text).unwrap();
    }
    commit_all(&repo, "project");
    let workspace = world.prepare("t", "../repo").await.unwrap();
    Case { world, workspace }
}

/// Seen to fail with `bench.tests_and_checks` taken out of `Gate::run`: every one of them passes.
#[tokio::test]
async fn a_weakened_test_or_check_needs_a_person() {
    type Change = fn(&Case);
    let changes: [(&str, Change); 7] = [
        ("test file deleted", |c| {
            fs::remove_file(c.workspace.root.join("tests/test_m.py")).unwrap()
        }),
        ("test skipped", |c| {
            c.write(
                "tests/test_m.py",
                &TEST.replace("    def", "    @unittest.skip('x')\n    def"),
            )
        }),
        ("fewer assertions", |c| {
            c.write(
                "tests/test_m.py",
                &TEST.replace("self.assertEqual(m.f(), 1)", "pass"),
            )
        }),
        ("expected value changed", |c| {
            c.write("tests/test_m.py", &TEST.replace(", 1)", ", 2)"))
        }),
        ("check script changed", |c| c.write("check.sh", "exit 0\n")),
        ("check configuration loosened", |c| {
            c.write("Makefile", "test:\n\ttrue\n")
        }),
        ("test or check file replaced", |c| {
            let file = c.workspace.root.join("tests/test_m.py");
            fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("/dev/null", file).unwrap();
        }),
    ];
    for (what, change) in changes {
        let case = project().await;
        change(&case);
        case.commit();
        let report = case.judge(&[check("sh ./check.sh")]).await;
        let seen = receipt(&report, "tests-and-checks");
        assert_eq!(seen.verdict, CheckVerdict::NeedsPerson, "{what}: {report:#?}");
        assert!(seen.output_tail.contains(what), "{what}: {}", seen.output_tail);
        assert_eq!(report.verdict(), Verdict::NeedsPerson, "{what}");
        assert!(report.referral().unwrap().contains(what), "{what}");
        assert!(feedback(&report).contains(what), "{what}");
        assert!(
            standings(&report)
                .iter()
                .any(|(_, s)| *s == Standing::NeedsPerson)
        );
    }
}

#[tokio::test]
async fn honest_work_beside_the_tests_passes() {
    let case = project().await;
    case.write(
        "m.py",
        "def f():\n    \"\"\"One.\"\"\"\n    return 1\n\n\ndef g():\n    return 2\n",
    );
    case.write(
        "tests/test_m.py",
        &format!("{TEST}\n    def test_g(self):\n        self.assertEqual(m.g(), 2)\n"),
    );
    case.write("Makefile", "test:\n\ttest -e m.py\n\tpython3 -m unittest\n");
    case.commit();
    let report = case.judge(&[check("sh ./check.sh")]).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report:#?}");
    assert_eq!(
        receipt(&report, "tests-and-checks").output_tail,
        "no test and no check is weakened"
    );
}

/// Seen to fail with the order of the two turned round in `GateReport::verdict`.
#[tokio::test]
async fn red_wins_over_a_persons_word() {
    let case = project().await;
    case.write("check.sh", "exit 0\n");
    case.commit();
    let report = case.judge(&[check("sh ./check.sh"), check("exit 1")]).await;
    let seen = receipt(&report, "tests-and-checks");
    assert_eq!(seen.verdict, CheckVerdict::NeedsPerson);
    assert_eq!(report.verdict(), Verdict::Failed);
}

#[tokio::test]
async fn where_tests_may_change_the_change_is_told_and_passes() {
    let case = project().await;
    case.write("tests/test_m.py", &TEST.replace(", 1)", ", 2)"));
    let head = case.commit();
    let checks = [check("true")];
    let mut request = case.request(&head, &checks);
    request.tests_may_change = true;
    let report = run(&request).await;
    assert_eq!(report.verdict(), Verdict::Passed);
    let told = &receipt(&report, "tests-and-checks").output_tail;
    assert!(
        told.contains("this task may make") && told.contains("tests/test_m.py:6"),
        "{told}"
    );
}
