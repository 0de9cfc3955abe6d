//! Outputs of the tools as they are, and what is read from them.

use super::*;

const CARGO: &str = "     Running unittests src/lib.rs (target/debug/deps/x-1)

running 3 tests
test a ... ok
test t::b ... FAILED
test c ... FAILED

failures:

---- t::b stdout ----
thread 't::b' panicked at src/lib.rs:3:5:
x

---- c stdout ----

failures:
    c
    t::b

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: 1 target failed:
    `--lib`
";

const NODE_TAP: &str = "TAP version 13
# Subtest: group
    # Subtest: a
    not ok 1 - a
      ---
      duration_ms: 1.1
      location: '/w/t.test.js:3:3'
      ...
    1..1
not ok 1 - group
  ---
  type: 'suite'
  location: '/w/t.test.js:2:1'
  ...
# Subtest: b
ok 2 - b
1..2
# tests 2
# pass 1
# fail 1
";

fn names(output: &str) -> Option<Vec<String>> {
    let failures = Failures::read(output, "/w")?;
    Some(failures.names().into_iter().map(str::to_owned).collect())
}

#[test]
fn names_are_read_where_they_are_all_there() {
    for (output, wanted) in [
        (
            CARGO,
            &["unittests src/lib.rs c", "unittests src/lib.rs t::b"][..],
        ),
        (
            "=== short test summary info ===\nFAILED tests/test_a.py::test_x - assert 1 == 2\nFAILED tests/test_a.py::T::test_y\nERROR tests/test_b.py - ImportError\n==== 2 failed, 3 passed, 1 error in 0.12s ====\n",
            &[
                "tests/test_a.py::T::test_y",
                "tests/test_a.py::test_x",
                "tests/test_b.py",
            ],
        ),
        (
            "F.\n=====\nFAIL: test_x (test_m.T.test_x)\n-----\nTraceback\n\nRan 2 tests in 0.000s\n\nFAILED (failures=1)\n",
            &["test_x (test_m.T.test_x)"],
        ),
        (
            "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/one (0.00s)\n        a_test.go:3: x\nFAIL\nFAIL\texample.org/a\t0.002s\nok  \texample.org/b\t0.001s\nFAIL\n",
            &["example.org/a TestA", "example.org/a TestA/one"],
        ),
        (NODE_TAP, &["t.test.js > group", "t.test.js > group > a"]),
        (
            "✖ a (1.2ms)\nℹ tests 2\nℹ pass 1\nℹ fail 1\n\n✖ failing tests:\n\ntest at t.test.js:3:1\n✖ a (1.2ms)\n  AssertionError\n",
            &["t.test.js a"],
        ),
        (
            "FAIL src/a.test.js (5 s)\n  ● sum › adds\n\n    expect(received)\n\nTests:       1 failed, 2 passed, 3 total\n",
            &["src/a.test.js sum › adds"],
        ),
        (
            " FAIL  src/a.test.ts > sum > adds\nAssertionError\n\n Test Files  1 failed (1)\n      Tests  1 failed | 2 passed (3)\n",
            &["src/a.test.ts > sum > adds"],
        ),
    ] {
        let found = names(output);
        assert_eq!(
            found.as_deref(),
            Some(&wanted.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..]),
            "{output}"
        );
    }
}

#[test]
fn what_is_cut_or_stops_early_gives_no_names() {
    for output in [
        "",
        "something else failed\n",
        &CARGO.replace(
            "error: 1 target failed:",
            "error: test failed, to rerun pass `--lib`",
        ),
        &CARGO.replace("    c\n", ""),
        "FAILED a.py::x\n!!! stopping after 1 failures !!!\n=== 1 failed in 0.1s ===\n",
        "FAILED a.py::x\n=== 2 failed in 0.1s ===\n",
        "--- FAIL: TestA (0.00s)\npanic: x\nFAIL\ta\t0.1s\n",
        "FAIL\ta [build failed]\n",
        &NODE_TAP.replace("# fail 1", "# fail 2"),
        &format!("… (90000 bytes in all)\n{NODE_TAP}"),
        "FAIL a.test.js\n  ● Test suite failed to run\nTests:       1 failed, 1 total\n",
        // Two tools in one output.
        &format!("{CARGO}FAIL: test_x (m.T.test_x)\nFAILED (failures=1)\n"),
    ] {
        assert_eq!(Failures::read(output, "/w"), None, "{output}");
    }
}

#[test]
fn what_is_new_is_the_difference() {
    let before = Failures::read(CARGO, "/w").unwrap();
    assert!(before.beyond(&before).is_empty());
    let other = Failures::read(&CARGO.replace("    c\n", "    d\n"), "/w").unwrap();
    assert_eq!(other.beyond(&before), ["unittests src/lib.rs d"]);
}

#[test]
fn only_a_single_whole_command_tells_all() {
    for (script, wanted) in [
        ("cargo test --no-fail-fast --locked", true),
        ("# tests\ngo test ./...\n", true),
        ("cargo test\ncargo clippy", false),
        ("npm test && npm run lint", false),
        ("pytest -x", false),
        ("pytest --maxfail=3", false),
        ("jest --bail", false),
        ("cargo test | tee log", false),
        ("RUST_BACKTRACE=1 cargo test", true),
        ("python3 -W error -m unittest", true),
        ("venv/bin/python -m pytest -q", true),
        ("npx vitest run", true),
        ("make test", false),
        ("./check.sh", false),
        ("bash scripts/test.sh", false),
        ("npm test", false),
        ("", false),
    ] {
        assert_eq!(tells_all(script), wanted, "{script}");
    }
}

proptest::proptest! {
    #[test]
    fn any_output_is_read(output in "(FAIL|FAILED|ERROR|not ok|# fail|Tests:|●|✖|\\(|: |\t| |\n|[a-z0-9é]){0,40}") {
        let _ = Failures::read(&output, "/w");
    }
}
