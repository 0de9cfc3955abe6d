//! Honest work, which nobody is woken for.

use super::{Row, of};
use crate::domain::tamper::{Base, Change, Side, findings};

fn quiet(cases: &[(&'static str, &'static str, &'static str)]) {
    let mut alarms = Vec::new();
    for (path, was, is) in cases {
        let found = of(&[(path, Some(was), Some(is))]);
        if !found.is_empty() {
            alarms.push(format!("{path}: {was:?} -> {is:?}\n  {found:?}"));
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

const RUST: &str = "#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n";

const RUST_ROWS: &[(&str, &str, &str)] = &[
    (
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n\n#[test]\nfn b() { assert_eq!(f(3), 9); }\n",
    ),
    (
        "src/a.rs",
        RUST,
        "#[test]\nfn squares() {\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        "src/a.rs",
        RUST,
        "#[test]\nfn a() {\n    assert_eq!(\n        f(2),\n        4,\n        \"a message\"\n    );\n    assert!(g().is_ok(), \"it is\");\n}\n",
    ),
    (
        "src/a.rs",
        RUST,
        "#[test]\nfn squares() {\n    assert_eq!(f(2), 4);\n}\n#[test]\nfn good() {\n    assert!(g().is_ok());\n}\n",
    ),
    (
        "src/a.rs",
        RUST,
        "/// Squares.\n#[rstest]\nfn a() {\n    let two = 2;\n    assert_eq!(f(two), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        "src/a.rs",
        RUST,
        "// assert!(true)\n#[test]\nfn a() {\n    let _ = \"#[ignore] assert!(true) return;\";\n    assert_eq!(f(2), 4);\n    assert!(g().is_ok());\n}\n",
    ),
    (
        "src/a.rs",
        "fn f(a: u8) -> u8 { assert!(a > 0); return a; }\n",
        "fn f(a: u8) -> u8 { return a * a; }\n",
    ),
    (
        "src/a.rs",
        "#[test]\n#[ignore]\nfn a() { assert_eq!(f(), 1); }\n",
        "#[test]\nfn a() { assert_eq!(f(), 1); }\n",
    ),
    (
        "src/a.rs",
        "#[test]\nfn a() {\n    for (a, b) in [(1, 1), (2, 4)] {\n        assert_eq!(f(a), b);\n    }\n}\n",
        "#[test]\nfn a() {\n    for (a, b) in [(1, 1), (2, 4), (3, 9)] {\n        assert_eq!(f(a), b);\n    }\n}\n",
    ),
    (
        "src/a.rs",
        "#[test]\nfn a() {\n    assert!(f() == 4);\n}\n",
        "#[test]\nfn a() {\n    assert_eq!(f(), 4);\n}\n",
    ),
    (
        "src/a.rs",
        "fn f() {}\n",
        "#[allow(clippy::too_many_arguments)]\nfn g(a: u8) {}\nfn f() {}\n",
    ),
    ("src/a.rs", "#![warn(missing_docs)]\n", "#![deny(missing_docs)]\n"),
    (
        "tests/a.rs",
        "fn world() -> u8 { 1 }\n#[test]\nfn a() { assert_eq!(f(world()), 1); }\n",
        "fn scene() -> u8 { 1 }\n#[test]\nfn a() { assert_eq!(f(scene()), 1); }\n",
    ),
    (
        "src/a.rs",
        "#[test]\nfn a() {\n    let x = f().expect(\"a\");\n    assert_eq!(x, 1);\n}\n",
        "#[test]\nfn a() -> Result<(), E> {\n    let x = f()?;\n    assert_eq!(x, 1);\n    Ok(())\n}\n",
    ),
    (
        "src/a.rs",
        "#[test]\nfn a() { f(); }\n",
        "#[test]\nfn runs() { f(); }\n",
    ),
];

#[test]
fn rust() {
    quiet(RUST_ROWS);
}

const PYTHON: &str = "def test_a():\n    assert f(2) == 4\n    assert g()\n";

const PYTHON_ROWS: &[(&str, &str, &str)] = &[
    (
        "tests/test_a.py",
        PYTHON,
        "import pytest\n\n\ndef test_a():\n    \"\"\"Squares; never skip this.\"\"\"\n    assert f(2) == 4, 'four'\n    assert g()\n",
    ),
    (
        "tests/test_a.py",
        PYTHON,
        "class TestA:\n    def test_a(self):\n        assert f(2) == 4\n        assert g()\n",
    ),
    (
        "tests/test_a.py",
        PYTHON,
        "def test_a(client):\n    value = f(2)\n    assert value == 4\n    assert g()\n\ndef test_b():\n    with pytest.raises(ValueError):\n        f(-1)\n",
    ),
    (
        "tests/test_a.py",
        "class T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(2), 4)\n",
        "class T(unittest.TestCase):\n    def setUp(self):\n        self.x = 2\n\n    def test_a(self):\n        self.assertEqual(f(self.x), 4)\n        self.assertTrue(g(self.x))\n",
    ),
    (
        "m.py",
        "x = 1\n",
        "x = 1\n\ndef skip(a):\n    return a  # noqa: E501\n",
    ),
    (
        "m.py",
        "x = 1\n",
        "x = 1\ny = load()  # type: ignore[no-any-return]\n",
    ),
    (
        "m.py",
        "def f():\n    return 1\n",
        "def f():\n    try:\n        return 1\n    except OSError:\n        pass\n",
    ),
    (
        "pyproject.toml",
        "[project]\nname = 'x'\ndependencies = []\n\n[tool.ruff]\nline-length = 100\n",
        "[project]\nname = 'x'\ndependencies = ['requests']\nversion = '2'\n\n[tool.ruff]\nline-length = 100\n",
    ),
    (
        "pyproject.toml",
        "[tool.coverage.report]\nfail_under = 80\n",
        "[tool.coverage.report]\nfail_under = 90\n",
    ),
    (
        "pyproject.toml",
        "[tool.ruff.lint]\nselect = [\"E\"]\nignore = [\"E501\", \"F401\"]\n",
        "[tool.ruff.lint]\nselect = [\"E\", \"F\"]\nignore = [\"E501\"]\n",
    ),
    (
        "setup.cfg",
        "[metadata]\nname = x\nversion = 1\n",
        "[metadata]\nname = x\nversion = 2\n",
    ),
    ("requirements.txt", "a==1\n", "a==2\nb==1\n"),
    (
        "tests/conftest.py",
        "import pytest\n",
        "import pytest\n\n@pytest.fixture\ndef client():\n    return Client()\n",
    ),
    ("tests/data/input.json", "{\"a\": 1}\n", "{\"a\": 2}\n"),
];

#[test]
fn python() {
    quiet(PYTHON_ROWS);
}

const SCRIPT: &str =
    "test('adds', () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n";

const JAVASCRIPT_ROWS: &[(&str, &str, &str)] = &[
    (
        "src/a.test.js",
        SCRIPT,
        "describe('add', () => {\n  test('adds', () => {\n    expect(add(1, 2)).toBe(3);\n    expect(add(2, 2)).toBe(4);\n  });\n  it('is odd', () => { expect(add(1, 0)).toBe(1); });\n});\n",
    ),
    (
        "src/a.test.js",
        SCRIPT,
        "import { add } from './add';\ntest('adds numbers', async () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n",
    ),
    (
        "src/a.test.js",
        "test.skip('a', () => { expect(f()).toBe(1) })",
        "test('a', () => { expect(f()).toBe(1) })",
    ),
    (
        "test/a.js",
        "assert.equal(f(1), 1);\n",
        "assert.equal(f(1), 1);\nassert.equal(f(2), 4, 'four');\n",
    ),
    (
        "t.js",
        "require('assert').equal(f(1), 1)\n",
        "const assert = require('assert');\nrequire('assert').equal(f(1), 1)\nassert.equal(f(2), 2)\n",
    ),
    (
        "src/a.js",
        "function f() { if (false) {} }\n",
        "function f() { try { g() } catch (e) {} return; }\n",
    ),
    (
        "package.json",
        r#"{"scripts":{"test":"jest"},"dependencies":{}}"#,
        "{\n  \"scripts\": { \"test\": \"jest\", \"start\": \"node .\" },\n  \"dependencies\": { \"a\": \"1\" }\n}",
    ),
    (
        "package.json",
        r#"{"scripts":{"test":"jest"}}"#,
        r#"{"scripts":{"test":"jest && eslint ."}}"#,
    ),
    (
        "package.json",
        r#"{"scripts":{"start":"node a"}}"#,
        r#"{"scripts":{"start":"node b","test":"node --test"}}"#,
    ),
    (
        "package.json",
        r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#,
        r#"{"scripts":{"test":"node --test"}}"#,
    ),
    (
        "tsconfig.json",
        "{\n  \"compilerOptions\": {\n    \"strict\": false,\n    \"target\": \"es5\"\n  }\n}\n",
        "{\n  \"compilerOptions\": {\n    \"strict\": true,\n    \"target\": \"es2022\"\n  }\n}\n",
    ),
    (
        ".eslintrc.json",
        "{\n  \"rules\": {\n    \"no-eval\": \"warn\"\n  }\n}\n",
        "{\n  \"rules\": {\n    \"no-eval\": \"error\",\n    \"eqeqeq\": \"error\"\n  }\n}\n",
    ),
    (
        "src/a.ts",
        "f();\n",
        "f();\n// eslint-disable-next-line no-console\nconsole.log(1);\n",
    ),
];

#[test]
fn javascript() {
    quiet(JAVASCRIPT_ROWS);
}

const GO_JAVA_SHELL_AND_DEFINITIONS_ROWS: &[(&str, &str, &str)] = &[
    (
        "a_test.go",
        "func TestA(t *testing.T) {\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
        "func TestA(t *testing.T) {\n\tt.Parallel()\n\tif got := f(2); got != 4 {\n\t\tt.Fatalf(\"f(2) = %d, want 4\", got)\n\t}\n}\n\nfunc TestB(t *testing.T) {\n\tassert.Equal(t, 9, f(3))\n}\n",
    ),
    ("a.go", "func f() {}\n", "func f() error { return nil }\n"),
    (
        "src/test/java/ATest.java",
        "class ATest {\n  @Test\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
        "class ATest {\n  @Test\n  @DisplayName(\"squares\")\n  void a() {\n    assertEquals(4, f(2));\n  }\n\n  @Test\n  void b() {\n    assertThrows(E.class, () -> f(-1));\n  }\n}\n",
    ),
    (
        "tests/smoke.sh",
        "set -e\n[ \"$(run)\" = 4 ]\n",
        "set -eu\n# the result\n[ \"$(run)\" = 4 ]\ngrep -q x out\n",
    ),
    (
        "Makefile",
        "test:\n\tcargo test\n",
        "test:\n\tcargo test\n\tcargo test --doc\n\nclean:\n\trm -rf out || true\n",
    ),
    (
        "Makefile",
        "CFLAGS = -O1\nbuild:\n\tcc a.c\ninstall:\n\tcp a /bin\n",
        "CFLAGS = -O2\nbuild:\n\tcc a.c\ninstall:\n\tinstall a /bin\n",
    ),
    (
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\n\n[lints.clippy]\nall = \"warn\"\n",
        "[package]\nname = \"x\"\nversion = \"0.2.0\"\n\n[dependencies]\nserde = \"1\"\n\n[lints.clippy]\nall = \"deny\"\n",
    ),
    (
        ".github/workflows/ci.yml",
        "jobs:\n  test:\n    runs-on: ubuntu-22.04\n    steps:\n      - uses: actions/checkout@v3\n      - run: cargo test\n",
        "jobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n      # fetch\n      - uses: actions/checkout@v4\n      - run: cargo test\n      - run: cargo clippy\n",
    ),
    (
        "clippy.toml",
        "too-many-lines-threshold = 100\n",
        "too-many-lines-threshold = 60\n",
    ),
    ("check.sh", "cargo test\n", "# all of them\ncargo test\n"),
    ("done.txt", "1\n", "2\n"),
    (
        "calc.sh",
        "add() { echo 1; }\n",
        "add() { echo $(( $1 + $2 )); }\n",
    ),
    ("count.sh", "echo 1\n", "grep -c '' \"$1\"\n"),
    ("app.py", "print(1)\n", "print(2)\n"),
    ("README.md", "# tests\nskip\n", "assert\n"),
    ("src/snapshots/mod.rs", "pub fn a() {}\n", "pub fn b() {}\n"),
];

#[test]
fn go_java_shell_and_definitions() {
    quiet(GO_JAVA_SHELL_AND_DEFINITIONS_ROWS);
}

#[test]
fn moves_merges_and_new_projects() {
    let rows: [&[Row]; 5] = [
        &[
            ("tests/a.rs", Some(RUST), None),
            ("tests/it/a.rs", None, Some(RUST)),
            ("tests/it/main.rs", Some("mod b;\n"), Some("mod a;\nmod b;\n")),
        ],
        &[
            ("tests/test_a.py", Some(PYTHON), None),
            ("tests/unit/test_a.py", None, Some(PYTHON)),
        ],
        &[
            (
                "src/a.rs",
                Some(RUST),
                Some("fn f() {}\n#[cfg(test)]\nmod tests;\n"),
            ),
            ("src/a/tests.rs", None, Some(RUST)),
        ],
        &[("a.snap", Some("x\n"), None), ("b.snap", None, Some("x\n"))],
        &[
            (
                "tests/a.rs",
                Some("#[test]\nfn a() { assert_eq!(f(1), 1); }\n"),
                None,
            ),
            (
                "tests/b.rs",
                Some("#[test]\nfn b() { assert_eq!(f(2), 4); }\n"),
                Some("#[test]\nfn all() { assert_eq!(f(1), 1); assert_eq!(f(2), 4); }\n"),
            ),
        ],
    ];
    for rows in rows {
        assert_eq!(of(rows), [], "{rows:?}");
    }
    let new = [
        ("pytest.ini", "[pytest]\naddopts = --ignore=vendor\n"),
        (
            "src/lib.rs",
            "#![allow(dead_code)]\n#[test]\n#[ignore]\nfn a() { assert!(true); }\n",
        ),
        (
            ".github/workflows/ci.yml",
            "jobs:\n  a:\n    continue-on-error: true\n",
        ),
    ];
    let new = new.map(|(path, text)| Change {
        path,
        was: Side::Absent,
        is: Side::Text(text),
    });
    assert_eq!(findings(&new, &Base::default()), []);
}
