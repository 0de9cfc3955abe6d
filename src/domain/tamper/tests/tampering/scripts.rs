//! Check scripts, recipes, continuous integration, lints, snapshots.

use super::{Case, seen};
use crate::domain::tamper::What;

const CI: &str = "jobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n      - run: cargo clippy\n";

const SCRIPTS_RECIPES_AND_CONTINUOUS_INTEGRATION_ROWS: &[Case] = &[
    (What::Script, "ci/all.sh", "make\n", "true\n"),
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
        CI,
        "jobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n",
    ),
    (
        What::Integration,
        ".github/workflows/ci.yml",
        CI,
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
];

#[test]
fn scripts_recipes_and_continuous_integration() {
    seen(SCRIPTS_RECIPES_AND_CONTINUOUS_INTEGRATION_ROWS);
}
