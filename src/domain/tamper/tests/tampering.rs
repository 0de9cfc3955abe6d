//! Ways to make a check say yes.

mod go_and_java;
mod python;
mod script;
mod scripts;

use super::of;
use crate::domain::tamper::{Base, Change, Side, What, findings};
use python::PYTHON;
use script::SCRIPT;

/// What is found, the file, before, after.
pub(super) type Case = (What, &'static str, &'static str, &'static str);

pub(super) fn seen(cases: &[Case]) {
    let mut missed = Vec::new();
    for (what, path, was, is) in cases {
        let found = of(&[(*path, Some(*was), Some(*is))]);
        if !found.iter().any(|f| f.what == *what) {
            missed.push(format!(
                "{path}: {was:?} -> {is:?}\n  wanted {what:?}, found {found:?}"
            ));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

pub(super) const RUST: &str = "#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n";

const RUST_ROWS: &[Case] = &[
    (What::TestGone, "src/a.rs", RUST, "fn f() {}\n"),
    (
        What::TestGone,
        "src/a.rs",
        RUST,
        "fn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::TestGone,
        "src/a.rs",
        RUST,
        "#[test]\nfn b() {\n    assert_eq!(f(3), 9);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::TestGone,
        "src/a.rs",
        RUST,
        "/*\n#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n}\n*/\n",
    ),
    (
        What::Skipped,
        "src/a.rs",
        RUST,
        "#[test]\n#[ignore]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Skipped,
        "src/a.rs",
        RUST,
        "#[test]\n#[ignore = \"flaky\"]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Skipped,
        "src/a.rs",
        RUST,
        "#[cfg(any())]\n#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Skipped,
        "src/a.rs",
        "#[cfg(test)]\nmod tests {\n#[test]\nfn a() { assert!(f() == 1); }\n}\n",
        "#[cfg(any())]\nmod tests {\n#[test]\nfn a() { assert!(f() == 1); }\n}\n",
    ),
    (
        What::Skipped,
        "tests/a.rs",
        RUST,
        "#![cfg(feature = \"slow\")]\n#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Skipped,
        "src/a.rs",
        RUST,
        "#[test]\n#[cfg_attr(all(), ignore)]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert!(true);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert_eq!(4, 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert!(f(2) == 4 || true);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    // assert_eq!(f(2), 4);\n    let _ = \"assert_eq!(f(2), 4)\";\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::WeakerAssertion,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert!(f(2).is_positive());\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Expectation,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert_eq!(f(2), 5);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Expectation,
        "src/a.rs",
        "#[test]\nfn a() {\n    assert!((f() - 1.0).abs() < 1e-9);\n}\n",
        "#[test]\nfn a() {\n    assert!((f() - 1.0).abs() < 0.5);\n}\n",
    ),
    (
        What::Expectation,
        "src/a.rs",
        "#[test]\n#[should_panic]\nfn a() { f(); }\n",
        "#[test]\nfn a() { f(); }\n",
    ),
    (
        What::Expectation,
        "src/a.rs",
        RUST,
        "#[test]\n#[should_panic]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Escapes,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    return;\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        What::Escapes,
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    if false {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n}\n",
    ),
    (
        What::FewerCases,
        "src/a.rs",
        "#[test]\nfn a() {\n    for (a, b) in [(1, 1), (2, 4), (3, 9)] {\n        assert_eq!(f(a), b);\n    }\n}\n",
        "#[test]\nfn a() {\n    for (a, b) in [(1, 1), (2, 4)] {\n        assert_eq!(f(a), b);\n    }\n}\n",
    ),
    (
        What::FewerCases,
        "src/a.rs",
        "#[rstest]\n#[case(1, 1)]\n#[case(2, 4)]\nfn a(#[case] a: u8, #[case] b: u8) { assert_eq!(f(a), b); }\n",
        "#[rstest]\n#[case(1, 1)]\nfn a(#[case] a: u8, #[case] b: u8) { assert_eq!(f(a), b); }\n",
    ),
    (
        What::FewerAssertions,
        "tests/a.rs",
        "fn check(a: u8) { assert_eq!(f(a), 4); }\n#[test]\nfn t() { check(2); }\n",
        "fn check(a: u8) {}\n#[test]\nfn t() { check(2); }\n",
    ),
];

#[test]
fn rust() {
    seen(RUST_ROWS);
}

#[test]
fn files_that_go_come_or_are_no_text_any_more() {
    let gone = |path, was| of(&[(path, Some(was), None)]);
    for (what, path, was) in [
        (What::FileGone, "tests/a.rs", RUST),
        (What::FileGone, "tests/test_a.py", PYTHON),
        (What::FileGone, "src/a.test.js", SCRIPT),
        (What::FileGone, "tests/a.rb", "it 'works' do\nend\n"),
        (What::Script, "check.sh", "cargo test\n"),
        (What::Snapshot, "a.snap", "x\n"),
        (What::Integration, ".github/workflows/ci.yml", "jobs:\n"),
        (
            What::Configuration,
            "clippy.toml",
            "too-many-lines-threshold = 60\n",
        ),
    ] {
        assert_eq!(gone(path, was).first().map(|f| f.what), Some(what), "{path}");
    }
    let come = |path, is| of(&[(path, None, Some(is))]);
    for (what, path, is) in [
        (What::Shadows, "pytest.py", "print('1 passed')\n"),
        (What::Shadows, "GNUmakefile", "test:\n\ttrue\n"),
        (
            What::Configuration,
            ".cargo/config.toml",
            "[target.'cfg(all())']\nrunner = \"true\"\n",
        ),
        (
            What::Configuration,
            "conftest.py",
            "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
        ),
        (What::Silenced, "src/new.py", "# flake8: noqa\nx = 1\n"),
    ] {
        assert_eq!(come(path, is).first().map(|f| f.what), Some(what), "{path}");
    }
    for is in [Side::Link("/dev/null"), Side::Opaque("0a1b")] {
        let change = Change {
            path: "tests/a.rs",
            was: Side::Text(RUST),
            is,
        };
        let found = findings(&[change], &Base::default());
        assert!(found.iter().any(|f| f.what == What::Unreadable), "{found:?}");
    }
}

#[test]
fn a_test_that_moves_to_where_nobody_runs_it_is_gone() {
    for (from, to, text) in [
        ("tests/test_a.py", "tests/old_a.py", PYTHON),
        (
            "a_test.go",
            "a_old.go",
            "func TestA(t *testing.T) { assert.Equal(t, 1, f()) }\n",
        ),
        ("src/a.test.js", "src/a.old.js", SCRIPT),
        ("tests/test_a.py", "tests/test_a.py.off", PYTHON),
    ] {
        let found = of(&[(from, Some(text), None), (to, None, Some(text))]);
        assert!(found.iter().any(|f| f.what == What::FileGone), "{to}: {found:?}");
    }
}
