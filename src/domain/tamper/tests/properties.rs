//! Whatever the bytes are.

use proptest::prelude::*;

use crate::domain::tamper::{Base, Change, Side, findings};

pub(super) const PATHS: [&str; 16] = [
    "src/a.rs",
    "tests/a.rs",
    "test_a.py",
    "a.test.ts",
    "a_test.go",
    "ATest.java",
    "tests/a.sh",
    "a.bats",
    "Makefile",
    "package.json",
    "Cargo.toml",
    "pyproject.toml",
    ".github/workflows/ci.yml",
    "conftest.py",
    "tsconfig.json",
    "a.snap",
];

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("#[test]\nfn a() {"),
        Just("assert_eq!(1, 2);"),
        Just("assert!("),
        Just("def test_a():\n    assert x == 1\n"),
        Just("test('a', () => {"),
        Just("expect(a).toBe(1)"),
        Just("func TestA(t *testing.T) {"),
        Just("@Test void a() {"),
        Just("[(1, 2), (3"),
        Just("test:\n\tcargo test\n"),
        Just("{\"scripts\":{\"test\":\"a\"}}"),
        Just("# noqa\n"),
        Just("r#\""),
        Just("'é"),
        Just("*/ /*"),
        Just("\"\"\""),
        Just("}"),
        Just(")"),
        Just("]"),
        Just("\n    "),
        Just("=\\"),
        Just("."),
        Just("if"),
        Just("#!["),
    ];
    let any = prop_oneof![3 => word.prop_map(str::to_owned), 1 => ".{0,12}"];
    proptest::collection::vec(any, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_the_same_is_no_finding(was in text(), is in text()) {
        let commands = ["make test".to_owned(), was.clone()];
        let base = Base { commands: &commands, established: true };
        for path in PATHS {
            let change = |a, b| Change { path, was: a, is: b };
            findings(&[change(Side::Text(&was), Side::Text(&is))], &base);
            findings(&[change(Side::Text(&was), Side::Absent), change(Side::Absent, Side::Text(&is))], &base);
            prop_assert_eq!(findings(&[change(Side::Text(&was), Side::Text(&was))], &base), []);
        }
    }

    #[test]
    fn a_comment_more_is_no_finding(was in text()) {
        for path in ["tests/a.rs", "a.test.ts", "a_test.go"] {
            let is = format!("// told\n{was}");
            let change = Change { path, was: Side::Text(&was), is: Side::Text(&is) };
            prop_assert_eq!(findings(&[change], &Base::default()), []);
        }
    }
}
