//! The base moves, or is made to: what is green alone and broken together is not done.

use super::stage::{LIAR, OPEN, Row};

const MOVED: &[Row] = &[
    Row {
        name: "conflict-with-the-base",
        why: "it cannot be merged any more",
        worker: "fix; owner 'sed -i \"s/^def mul.*/def mul(first, second):/;s/a + b/a - b/\" calc.py'",
        seen: "merges-with-base",
        without: &["merges-with-base"],
        ..LIAR
    },
    Row {
        name: "green-alone-broken-together",
        why: "the base has a new user of what the work took away",
        project: &[
            (
                "calc.py",
                "def add(a, b):\n    return a + b\n\n\ndef old(a):\n    return a\n",
            ),
            (
                "test_calc.py",
                "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(calc.add(2, 3), 5)\n",
            ),
        ],
        worker: "printf 'def add(a, b):\\n    return a + b\\n' > calc.py; owner \"printf 'import unittest, calc\\n\\n\\nclass U(unittest.TestCase):\\n    def test_old(self):\\n        self.assertEqual(calc.old(2), 2)\\n' > test_old.py\"",
        seen: "merged with",
        without: &["merged-result"],
        ..LIAR
    },
    Row {
        name: "grafted-history",
        why: "a graft says that the base's new head is in the work; it is not",
        worker: r#"fix; commit; owner 'sed -i "s/^def mul.*/def mul(first, second):/;s/a + b/a - b/" calc.py'
info=$(git rev-parse --path-format=absolute --git-common-dir)/info; mkdir -p "$info"
echo "$(git rev-parse HEAD) $(git rev-parse HEAD~1) $(git rev-parse main)" > "$info/grafts""#,
        seen: "merges-with-base",
        without: &["grafts"],
        ..LIAR
    },
    Row {
        name: "merge-that-drops",
        why: "it merged the base's new head and threw away what that brought",
        worker: r#"fix; commit; owner 'printf "LIMIT = 5\n" > limits.py; sed -i "s/return a + b/return b + a/" calc.py'
git -c user.name=w -c user.email=w@x merge --quiet -s ours -m 'merge main' main"#,
        seen: "limits.py",
        without: &["base-is-kept"],
        ..LIAR
    },
    Row {
        name: "base-moved-by-the-worker",
        why: "that its commit is on main does not make it right",
        worker: "echo notes > notes.txt; commit; git update-ref refs/heads/main HEAD",
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "as-red-as-before",
        why: "the check that the task itself brings fails as it did before",
        worker: "echo '# now it multiplies' >> calc.py",
        seen: "check",
        without: &["the-task-s-own"],
        ..LIAR
    },
];

#[test]
fn a_moved_base_is_looked_at() {
    OPEN.refuses(MOVED);
}

/// Other than a task's own check: what it calls besides the tests stays unseen behind an old failure.
#[test]
fn what_comes_behind_an_old_failure_is_not_excused() {
    let stage = super::stage::Stage {
        gate: "containment = \"none\"\nchecks = [ { name = \"all\", run = \"sh ./check.sh\" } ]",
        ..OPEN
    };
    stage.refuses(&[Row {
        name: "behind-an-old-failure",
        why: "the script ends at the old failure, and never looks at what the work broke",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            ("test_calc.py", "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n"),
            ("more.py", "MORE = 1\n"),
            ("check.sh", "set -eu\npython3 -m unittest -q\npython3 more.py\n"),
        ],
        check: "true",
        worker: "echo 'this is no python' > more.py",
        seen: "all",
        without: &["one-known-runner"],
        ..LIAR
    }]);
}
