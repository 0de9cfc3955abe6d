//! Ways to make a check say yes.

use super::of;
use crate::domain::tamper::{Base, Change, Side, What, findings};

/// What is found, the file, before, after.
type Case = (What, &'static str, &'static str, &'static str);

fn seen(cases: &[Case]) {
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

const RUST: &str = "#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n";

#[test]
fn rust() {
    seen(&[
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
    ]);
}

const PYTHON: &str = "def test_a():\n    assert f(2) == 4\n    assert g()\n";

#[test]
fn python() {
    seen(&[
        (
            What::TestGone,
            "tests/test_a.py",
            PYTHON,
            "def _test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::TestGone,
            "tests/test_a.py",
            "class TestA:\n    def test_a(self):\n        assert f(2) == 4\n",
            "class A:\n    def test_a(self):\n        assert f(2) == 4\n",
        ),
        (What::TestGone, "tests/test_a.py", PYTHON, ""),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "@pytest.mark.skip(reason='x')\ndef test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "@pytest.mark.xfail\ndef test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "@unittest.skip('x')\ndef test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "pytestmark = pytest.mark.skip\ndef test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    pytest.skip('later')\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            "class TestA(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(2), 4)\n",
            "@unittest.skip('x')\nclass TestA(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(2), 4)\n",
        ),
        (
            What::Skipped,
            "tests/test_a.py",
            PYTHON,
            "import pytest\npytest.skip('x', allow_module_level=True)\ndef test_a():\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::FewerAssertions,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    assert g()\n",
        ),
        (
            What::FewerAssertions,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    assert True\n    assert g()\n",
        ),
        (
            What::FewerAssertions,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    assert 1 == 1\n    assert g()\n",
        ),
        (
            What::FewerAssertions,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    pass\n",
        ),
        (
            What::Expectation,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    assert f(2) == 5\n    assert g()\n",
        ),
        (
            What::WeakerAssertion,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    assert f(2)\n    assert g()\n",
        ),
        (
            What::Escapes,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    return\n    assert f(2) == 4\n    assert g()\n",
        ),
        (
            What::Escapes,
            "tests/test_a.py",
            PYTHON,
            "def test_a():\n    try:\n        assert f(2) == 4\n        assert g()\n    except AssertionError:\n        pass\n",
        ),
        (
            What::FewerCases,
            "tests/test_a.py",
            "@pytest.mark.parametrize('a,b', [(1, 1), (2, 4)])\ndef test_a(a, b):\n    assert f(a) == b\n",
            "@pytest.mark.parametrize('a,b', [(1, 1)])\ndef test_a(a, b):\n    assert f(a) == b\n",
        ),
        (
            What::Configuration,
            "conftest.py",
            "",
            "collect_ignore = ['test_a.py']\n",
        ),
        (
            What::Configuration,
            "pytest.ini",
            "[pytest]\n",
            "[pytest]\naddopts = --deselect tests/test_a.py\n",
        ),
        (
            What::Configuration,
            "pyproject.toml",
            "[tool.coverage.report]\nfail_under = 90\n",
            "[tool.coverage.report]\nfail_under = 20\n",
        ),
        (
            What::Configuration,
            "pyproject.toml",
            "[tool.ruff.lint]\nselect = [\"E\", \"F\"]\n",
            "[tool.ruff.lint]\nselect = [\"E\"]\n",
        ),
        (
            What::Configuration,
            "setup.cfg",
            "[flake8]\nmax-line-length = 79\n",
            "[flake8]\nmax-line-length = 200\n",
        ),
        (
            What::Configuration,
            "mypy.ini",
            "[mypy]\nstrict = true\n",
            "[mypy]\nstrict = false\n",
        ),
        (What::Silenced, "m.py", "x = f()\n", "x = f()  # noqa\n"),
        (What::Silenced, "m.py", "x = f()\n", "x = f()  # type: ignore\n"),
        (What::Silenced, "m.py", "x = f()\n", "x = f()  # noqa: E501\n"),
        (
            What::Silenced,
            "m.py",
            "x = f()\n",
            "# mypy: ignore-errors\nx = f()\n",
        ),
    ]);
}

const SCRIPT: &str =
    "test('adds', () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n";

#[test]
fn javascript() {
    seen(&[
        (What::TestGone, "src/a.test.js", SCRIPT, "// nothing\n"),
        (
            What::Skipped,
            "src/a.test.js",
            SCRIPT,
            "test.skip('adds', () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::TestGone,
            "src/a.test.js",
            SCRIPT,
            "test.todo('subtracts');\n",
        ),
        (
            What::Skipped,
            "src/a.test.ts",
            SCRIPT,
            "xtest('adds', () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::Skipped,
            "src/a.test.ts",
            "describe('m', () => { it('a', () => { expect(f()).toBe(1) }) })",
            "xdescribe('m', () => { it('a', () => { expect(f()).toBe(1) }) })",
        ),
        (
            What::Skipped,
            "src/a.test.ts",
            "it('a', () => { expect(f()).toBe(1) })\nit('b', () => { expect(f()).toBe(2) })",
            "it.only('a', () => { expect(f()).toBe(1) })\nit('b', () => { expect(f()).toBe(2) })",
        ),
        (
            What::Skipped,
            "test/a.mjs",
            "test('a', () => { assert.equal(f(), 1) })",
            "test('a', { skip: true }, () => { assert.equal(f(), 1) })",
        ),
        (
            What::FewerAssertions,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  expect(true).toBe(true);\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::FewerAssertions,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::WeakerAssertion,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  expect(add(1, 2)).toBeDefined();\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::Expectation,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  expect(add(1, 2)).toBe(4);\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::Escapes,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  return;\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n",
        ),
        (
            What::Escapes,
            "src/a.test.js",
            SCRIPT,
            "test('adds', () => {\n  try {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n  } catch (e) {}\n});\n",
        ),
        (
            What::FewerCases,
            "src/a.test.js",
            "test.each([[1, 1], [2, 4]])('%i', (a, b) => { expect(f(a)).toBe(b) })",
            "test.each([[1, 1]])('%i', (a, b) => { expect(f(a)).toBe(b) })",
        ),
        (
            What::FewerAssertions,
            "t.js",
            "require('assert').equal(f(1), 1)\n",
            "require('assert').equal(1, 1)\n",
        ),
        (
            What::Escapes,
            "test.js",
            "const assert = require('assert');\nassert.equal(f(1), 1);\n",
            "process.exit(0);\nconst assert = require('assert');\nassert.equal(f(1), 1);\n",
        ),
        (
            What::Configuration,
            "package.json",
            r#"{"scripts":{"test":"jest"}}"#,
            r#"{"scripts":{"test":"true"}}"#,
        ),
        (
            What::Configuration,
            "package.json",
            r#"{"scripts":{"test":"jest"}}"#,
            r#"{"scripts":{"test":"jest || true"}}"#,
        ),
        (
            What::Configuration,
            "package.json",
            r#"{"scripts":{"test":"jest","lint":"eslint ."}}"#,
            r#"{"scripts":{"test":"jest"}}"#,
        ),
        (
            What::Configuration,
            "package.json",
            r#"{"jest":{"coverageThreshold":{"global":{"lines":90}}}}"#,
            r#"{"jest":{}}"#,
        ),
        (
            What::Configuration,
            "jest.config.js",
            "module.exports = {\n  verbose: true,\n};\n",
            "module.exports = {\n  verbose: true,\n  testPathIgnorePatterns: ['a.test.js'],\n};\n",
        ),
        (
            What::Configuration,
            "tsconfig.json",
            "{\n  \"compilerOptions\": {\n    \"strict\": true\n  }\n}\n",
            "{\n  \"compilerOptions\": {\n    \"strict\": false\n  }\n}\n",
        ),
        (
            What::Configuration,
            ".eslintrc.json",
            "{\n  \"rules\": {\n    \"no-eval\": \"error\"\n  }\n}\n",
            "{\n  \"rules\": {\n    \"no-eval\": \"off\"\n  }\n}\n",
        ),
        (
            What::Silenced,
            "src/a.ts",
            "f();\n",
            "/* eslint-disable */\nf();\n",
        ),
        (What::Silenced, "src/a.ts", "f();\n", "// @ts-nocheck\nf();\n"),
        (
            What::Silenced,
            "src/a.ts",
            "f();\n",
            "// eslint-disable-next-line no-eval\nf();\n",
        ),
    ]);
}

#[test]
fn go_and_java() {
    let go =
        "func TestA(t *testing.T) {\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n";
    let java = "class ATest {\n  @Test\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n";
    seen(&[
        (What::TestGone, "a_test.go", go, "package a\n"),
        (
            What::Skipped,
            "a_test.go",
            go,
            "func TestA(t *testing.T) {\n\tt.Skip(\"later\")\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
        ),
        (
            What::Skipped,
            "a_test.go",
            go,
            "//go:build never\n\nfunc TestA(t *testing.T) {\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
        ),
        (
            What::FewerAssertions,
            "a_test.go",
            go,
            "func TestA(t *testing.T) {\n\tf(2)\n}\n",
        ),
        (
            What::Expectation,
            "a_test.go",
            go,
            "func TestA(t *testing.T) {\n\tif got := f(2); got != 5 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
        ),
        (
            What::Escapes,
            "a_test.go",
            "func TestMain(m *testing.M) { os.Exit(m.Run()) }\n",
            "func TestMain(m *testing.M) { m.Run(); os.Exit(0) }\n",
        ),
        (
            What::FewerCases,
            "a_test.go",
            "func TestA(t *testing.T) {\n\tfor _, c := range []struct{ a, b int }{{1, 1}, {2, 4}} {\n\t\tassert.Equal(t, c.b, f(c.a))\n\t}\n}\n",
            "func TestA(t *testing.T) {\n\tfor _, c := range []struct{ a, b int }{{1, 1}} {\n\t\tassert.Equal(t, c.b, f(c.a))\n\t}\n}\n",
        ),
        (What::Silenced, "a.go", "x := f()\n", "x := f() //nolint\n"),
        (
            What::TestGone,
            "src/test/java/ATest.java",
            java,
            "class ATest {\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
        ),
        (
            What::Skipped,
            "src/test/java/ATest.java",
            java,
            "class ATest {\n  @Test\n  @Disabled(\"x\")\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
        ),
        (
            What::Skipped,
            "src/test/java/ATest.java",
            java,
            "@Ignore\nclass ATest {\n  @Test\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
        ),
        (
            What::FewerAssertions,
            "src/test/java/ATest.java",
            java,
            "class ATest {\n  @Test\n  void a() {\n    assertTrue(true);\n  }\n}\n",
        ),
        (
            What::Expectation,
            "src/test/java/ATest.java",
            java,
            "class ATest {\n  @Test\n  void a() {\n    assertEquals(5, f(2));\n  }\n}\n",
        ),
        (
            What::Configuration,
            "pom.xml",
            "<project>\n</project>\n",
            "<project>\n<skipTests>true</skipTests>\n</project>\n",
        ),
        (
            What::Configuration,
            "build.gradle",
            "test { useJUnitPlatform() }\n",
            "test { useJUnitPlatform() }\ntest.enabled = false\n",
        ),
    ]);
}

#[test]
fn scripts_recipes_and_continuous_integration() {
    let ci = "jobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n      - run: cargo clippy\n";
    seen(&[
        (What::Script, "check.sh", "cargo test\n", "exit 0\n"),
        (What::Script, "check.sh", "cargo test\n", "cargo test || true\n"),
        (
            What::FewerAssertions,
            "tests/smoke.sh",
            "out=$(run)\n[ \"$out\" = 4 ]\n",
            "out=$(run)\n[ \"$out\" = 4 ] || true\n",
        ),
        (
            What::Escapes,
            "tests/smoke.sh",
            "set -e\n[ 1 = \"$x\" ]\n",
            "exit 0\nset -e\n[ 1 = \"$x\" ]\n",
        ),
        (
            What::TestGone,
            "a.bats",
            "@test \"a\" {\n  [ \"$x\" = 1 ]\n}\n",
            "# none\n",
        ),
        (
            What::Skipped,
            "a.bats",
            "@test \"a\" {\n  [ \"$x\" = 1 ]\n}\n",
            "@test \"a\" {\n  skip\n  [ \"$x\" = 1 ]\n}\n",
        ),
        (
            What::Configuration,
            "Makefile",
            "test:\n\tcargo test\n",
            "test:\n\ttrue\n",
        ),
        (
            What::Configuration,
            "Makefile",
            "test: lint\n\tcargo test\n",
            "test:\n\tcargo test\n",
        ),
        (
            What::Configuration,
            "Makefile",
            "test:\n\tcargo test\n",
            "test:\n\tcargo test\n\nSHELL = /bin/true\n",
        ),
        (
            What::Configuration,
            "Makefile",
            "test:\n\tpytest $(TESTS)\nTESTS = tests\n",
            "test:\n\tpytest $(TESTS)\nTESTS = tests/easy\n",
        ),
        (
            What::Configuration,
            "Makefile",
            "test:\n\tcargo test\n",
            "test:\n\t-cargo test\n",
        ),
        (
            What::Configuration,
            "justfile",
            "test:\n    cargo test\n",
            "test:\n    cargo test --lib\n",
        ),
        (
            What::Integration,
            ".github/workflows/ci.yml",
            ci,
            "jobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n",
        ),
        (
            What::Integration,
            ".github/workflows/ci.yml",
            ci,
            "jobs:\n  test:\n    runs-on: ubuntu-latest\n    continue-on-error: true\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n      - run: cargo clippy\n",
        ),
        (
            What::Integration,
            ".gitlab-ci.yml",
            "test:\n  script:\n    - make test\n",
            "test:\n  script:\n    - make test || true\n",
        ),
        (
            What::Configuration,
            "Cargo.toml",
            "[lints.clippy]\nunwrap_used = \"deny\"\n",
            "[lints.clippy]\nunwrap_used = \"allow\"\n",
        ),
        (
            What::Configuration,
            "Cargo.toml",
            "[package]\nname = \"x\"\n",
            "[package]\nname = \"x\"\nautotests = false\n",
        ),
        (
            What::Configuration,
            "Cargo.toml",
            "[lib]\nname = \"x\"\n",
            "[lib]\nname = \"x\"\ntest = false\n",
        ),
        (
            What::Configuration,
            "clippy.toml",
            "too-many-lines-threshold = 60\n",
            "too-many-lines-threshold = 600\n",
        ),
        (
            What::Silenced,
            "src/lib.rs",
            "fn f() {}\n",
            "#![allow(warnings)]\nfn f() {}\n",
        ),
        (
            What::Silenced,
            "src/lib.rs",
            "#![deny(unsafe_code)]\nfn f() {}\n",
            "fn f() {}\n",
        ),
        (
            What::Silenced,
            "src/lib.rs",
            "fn f() {}\n",
            "#[allow(dead_code)]\nfn f() {}\n",
        ),
        (What::Snapshot, "src/snapshots/a.snap", "4\n", "5\n"),
        (What::Snapshot, "tests/golden/a.json", "{}\n", "[]\n"),
    ]);
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
