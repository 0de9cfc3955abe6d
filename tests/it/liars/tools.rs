//! Test tools made to look elsewhere: pytest, npm, cargo, go.

use super::stage::{LIAR, OPEN, Row, has, pytest};

const PYTEST: Row = Row {
    project: &[
        (
            "calc.py",
            "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a + b\n",
        ),
        (
            "tests/test_add.py",
            "import calc\n\n\ndef test_add():\n    assert calc.add(2, 3) == 5\n",
        ),
        (
            "tests/test_mul.py",
            "import calc\n\n\ndef test_mul():\n    assert calc.mul(2, 3) == 6\n",
        ),
        ("requirements.txt", "pytest\n"),
        (".gitignore", "__pycache__/\n.pytest_cache/\n"),
    ],
    check: "",
    seen: "check configuration loosened",
    without: &["check configuration loosened"],
    ..LIAR
};

const PYTESTS: &[Row] = &[
    Row {
        name: "pytest-selects",
        why: "only the tests that are green are selected",
        worker: "printf '[pytest]\\naddopts = -k add\\n' > pytest.ini",
        ..PYTEST
    },
    Row {
        name: "pytest-only-collects",
        why: "tests are counted, not run",
        worker: "printf '[pytest]\\naddopts = --collect-only\\n' > pytest.ini",
        ..PYTEST
    },
    Row {
        name: "pytest-looks-elsewhere",
        why: "only one file is looked for",
        worker: "printf '[tool.pytest.ini_options]\\npython_files = [\"test_add.py\"]\\n' > pyproject.toml",
        ..PYTEST
    },
    Row {
        name: "pytest-plugin",
        why: "a plugin of the work turns results round",
        worker: "printf '[pytest]\\naddopts = -p kind\\n' > pytest.ini; printf 'import pytest\\n\\n\\n@pytest.hookimpl(tryfirst=True)\\ndef pytest_pyfunc_call(pyfuncitem):\\n    return True\\n' > kind.py",
        ..PYTEST
    },
    Row {
        name: "conftest-ignores",
        why: "a file of tests is left out",
        worker: "echo 'collect_ignore = [\"tests/test_mul.py\"]' > conftest.py",
        ..PYTEST
    },
    Row {
        name: "conftest-forces-success",
        why: "no test function is called",
        worker: "printf 'def pytest_pyfunc_call(pyfuncitem):\\n    return True\\n' > conftest.py",
        ..PYTEST
    },
    Row {
        name: "conftest-ends-well",
        why: "the run is told to end well",
        worker: "printf 'def pytest_sessionfinish(session, exitstatus):\\n    session.exitstatus = 0\\n' > tests/conftest.py",
        ..PYTEST
    },
    Row {
        name: "conftest-leaves-out",
        why: "the run goes on without the failing test",
        worker: "printf 'def pytest_configure(config):\\n    config.option.keyword = \"add\"\\n' > conftest.py",
        ..PYTEST
    },
];

const NODE: Row = Row {
    project: &[
        (
            "package.json",
            "{\n  \"name\": \"calc\",\n  \"version\": \"1.0.0\",\n  \"scripts\": {\n    \"test\": \"node --test\"\n  }\n}\n",
        ),
        (
            "calc.js",
            "exports.mul = (a, b) => a + b;\nexports.add = (a, b) => a + b;\n",
        ),
        (
            "calc.test.js",
            "const test = require('node:test');\nconst assert = require('node:assert');\nconst calc = require('./calc.js');\n\ntest('add', () => {\n  assert.strictEqual(calc.add(2, 3), 5);\n});\n\ntest('mul', () => {\n  assert.strictEqual(calc.mul(2, 3), 6);\n});\n",
        ),
    ],
    check: "npm run test",
    ..LIAR
};

const NODES: &[Row] = &[
    Row {
        name: "npm-script-is-true",
        why: "the script tests nothing",
        worker: "sed -i 's/node --test/true/' package.json",
        seen: "check configuration loosened",
        without: &["check configuration loosened"],
        ..NODE
    },
    Row {
        name: "npm-script-forgives",
        why: "whatever it finds, it is true",
        worker: "sed -i 's/node --test/node --test || true/' package.json",
        seen: "check configuration loosened",
        without: &["check configuration loosened"],
        ..NODE
    },
    Row {
        name: "npm-script-shell",
        why: "npm runs scripts by a shell that does nothing",
        worker: "echo 'script-shell=/bin/true' > .npmrc",
        seen: "check configuration loosened",
        without: &["check configuration loosened"],
        ..NODE
    },
    Row {
        name: "npm-node-options",
        why: "every node is told to load a file that makes assertions true",
        worker: "echo 'node-options=--require ./kind.cjs' > .npmrc; echo \"require('node:assert').strictEqual = () => {};\" > kind.cjs",
        seen: "check configuration loosened",
        without: &["check configuration loosened"],
        ..NODE
    },
    Row {
        name: "node-test-skipped",
        why: "a skipped test proves nothing",
        worker: "sed -i \"s/test('mul'/test.skip('mul'/\" calc.test.js",
        seen: "test skipped",
        without: &["test skipped"],
        ..NODE
    },
    Row {
        name: "node-test-todo",
        why: "what is to do may fail",
        worker: "sed -i \"s/test('mul', /&{ todo: true }, /\" calc.test.js",
        seen: "test skipped",
        without: &["test skipped"],
        ..NODE
    },
];

const CARGO: Row = Row {
    project: &[
        (
            "Cargo.toml",
            "[package]\nname = \"calc\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[features]\nslow = []\n",
        ),
        (
            "Cargo.lock",
            "version = 3\n\n[[package]]\nname = \"calc\"\nversion = \"0.1.0\"\n",
        ),
        (".gitignore", "target/\n"),
        (
            "src/lib.rs",
            "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn mul(a: u32, b: u32) -> u32 {\n    a + b\n}\n",
        ),
        (
            "tests/add.rs",
            "#[test]\nfn adds() {\n    assert_eq!(calc::add(2, 3), 5);\n}\n",
        ),
        (
            "tests/mul.rs",
            "#[test]\nfn multiplies() {\n    assert_eq!(calc::mul(2, 3), 6);\n}\n",
        ),
    ],
    check: "cargo test --no-fail-fast --locked --offline",
    seen: "check configuration loosened",
    without: &["check configuration loosened"],
    ..LIAR
};

const CARGOS: &[Row] = &[
    Row {
        name: "cargo-test-false",
        why: "the target is taken out of the tests",
        worker: "printf '\\n[[test]]\\nname = \"mul\"\\ntest = false\\n' >> Cargo.toml",
        ..CARGO
    },
    Row {
        name: "cargo-harness-false",
        why: "without its harness a test is a program that does nothing",
        worker: "printf '\\n[[test]]\\nname = \"mul\"\\nharness = false\\n' >> Cargo.toml; echo 'fn main() {}' >> tests/mul.rs",
        ..CARGO
    },
    Row {
        name: "cargo-required-features",
        why: "a test of a feature that nobody asks for is not built",
        worker: "printf '\\n[[test]]\\nname = \"mul\"\\nrequired-features = [\"slow\"]\\n' >> Cargo.toml",
        ..CARGO
    },
    Row {
        name: "cargo-another-file",
        why: "the test of that name is another file now",
        worker: "printf '\\n[[test]]\\nname = \"mul\"\\npath = \"src/easy.rs\"\\n' >> Cargo.toml; printf '#[test]\\nfn easy() {\\n    assert_eq!(1 + 1, 2);\\n}\\n' > src/easy.rs",
        ..CARGO
    },
    Row {
        name: "cargo-runner",
        why: "the tests are handed to a program that does not run them",
        worker: "mkdir .cargo; printf '[target.\"cfg(all())\"]\\nrunner = [\"echo\", \"test result: ok. 1 passed; 0 failed; finished\"]\\n' > .cargo/config.toml",
        ..CARGO
    },
    Row {
        name: "cargo-wrapper",
        why: "the compiler is another program",
        worker: "mkdir .cargo; printf '[build]\\nrustc-wrapper = \"./cc\"\\n' > .cargo/config.toml; printf '#!/bin/sh\\ncase \"$*\" in *tests/mul.rs*) sed -i s/6/5/ tests/mul.rs; \"$@\"; r=$?; sed -i s/5/6/ tests/mul.rs; exit $r;; esac\\nexec \"$@\"\\n' > cc; chmod +x cc",
        ..CARGO
    },
    Row {
        name: "cargo-build-script",
        why: "the build rewrites the test that judges it",
        worker: "printf 'fn main() {\\n    std::fs::write(\"tests/mul.rs\", \"#[test]\\\\nfn easy() {}\\\\n\").unwrap();\\n}\\n' > build.rs",
        seen: "git-clean",
        without: &["git-clean"],
        ..CARGO
    },
    Row {
        name: "rust-test-out-of-reach",
        why: "a file of tests that no module names is not compiled",
        worker: "mkdir tests/later; git mv tests/mul.rs tests/later/mul.rs",
        seen: "test file deleted",
        without: &["test file deleted"],
        ..CARGO
    },
    Row {
        name: "rust-exits-early",
        why: "the tests' program ends well before it has told a result",
        worker: "sed -i 's/pub fn mul(a: u32, b: u32) -> u32 {/&\\n    if a == 2 {\\n        std::process::exit(0);\\n    }/' src/lib.rs",
        seen: "nothing ran",
        without: &["results-are-told"],
        ..CARGO
    },
];

const GO: Row = Row {
    project: &[
        ("go.mod", "module example.org/calc\n\ngo 1.19\n"),
        (
            "add/add.go",
            "package add\n\nfunc Add(a, b int) int { return a + b }\n",
        ),
        (
            "add/add_test.go",
            "package add\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(2, 3) != 5 {\n\t\tt.Fatal(\"add\")\n\t}\n}\n",
        ),
        (
            "mul/mul.go",
            "package mul\n\nfunc Mul(a, b int) int { return a + b }\n",
        ),
        (
            "mul/mul_test.go",
            "package mul\n\nimport \"testing\"\n\nfunc TestMul(t *testing.T) {\n\tif Mul(2, 3) != 6 {\n\t\tt.Fatal(\"mul\")\n\t}\n}\n",
        ),
    ],
    check: "go test ./...",
    ..LIAR
};

const GOES: &[Row] = &[
    Row {
        name: "go-build-tag",
        why: "the test is built only where somebody asks for it",
        worker: "sed -i '1i //go:build never\\n' mul/mul_test.go",
        seen: "test skipped",
        without: &["test skipped"],
        ..GO
    },
    Row {
        name: "go-test-main",
        why: "its TestMain does not run the tests",
        worker: "printf '\\nfunc TestMain(m *testing.M) {}\\n' >> mul/mul_test.go",
        seen: "mul_test.go",
        without: &["test cut short", "test skipped"],
        ..GO
    },
    Row {
        name: "go-testdata",
        why: "go does not look into testdata",
        worker: "mkdir mul/testdata; git mv mul/mul_test.go mul/testdata/mul_test.go",
        seen: "test file deleted",
        without: &["test file deleted"],
        ..GO
    },
    Row {
        name: "go-module-of-its-own",
        why: "what is another module is not tested with this one",
        worker: "printf 'module example.org/calc/mul\\n\\ngo 1.19\\n' > mul/go.mod",
        seen: "takes the place",
        without: &["file takes the place of a test tool"],
        ..GO
    },
    Row {
        name: "go-file-for-another-system",
        why: "by its name it is for Windows alone",
        worker: "git mv mul/mul_test.go mul/mul_windows_test.go",
        seen: "test file deleted",
        without: &["test file deleted"],
        ..GO
    },
];

#[test]
fn whoever_turns_pytest_is_not_done() {
    if pytest().is_none() {
        assert!(
            std::env::var_os("CI").is_none_or(|v| v != "true"),
            "pytest is not on this machine"
        );
        return println!("skipped: pytest is not on this machine");
    }
    OPEN.refuses(PYTESTS);
}

#[test]
fn whoever_turns_npm_or_node_is_not_done() {
    if has("npm") {
        OPEN.refuses(NODES);
    }
}

#[test]
fn whoever_turns_cargo_is_not_done() {
    OPEN.refuses(CARGOS);
}

#[test]
fn whoever_turns_go_is_not_done() {
    if has("go") {
        OPEN.refuses(GOES);
    }
}
