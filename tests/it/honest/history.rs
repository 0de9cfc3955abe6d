//! Histories: a base that moves, one that is red, commits of the worker's own, a workspace within a repository.

use crate::liars::stage::{LIAR, OPEN, Row, Stage};

const HISTORIES: &[Row] = &[
    Row {
        name: "own-commits",
        why: "several commits, with messages",
        worker: "fix; commit 'fix: multiply'; echo '# Calc' > README.md; commit 'docs: say what it is'",
        ..LIAR
    },
    Row {
        name: "merged-itself",
        why: "the base moved, and the worker merged it",
        worker: "fix; commit; owner 'echo x > more.txt'; git -c user.name=w -c user.email=w@x merge --quiet --no-edit main",
        ..LIAR
    },
    Row {
        name: "rebased-itself",
        why: "the base moved, and the worker rebased onto it",
        worker: "fix; commit; owner 'echo x > more.txt'; git -c user.name=w -c user.email=w@x rebase --quiet main",
        ..LIAR
    },
    Row {
        name: "base-moved",
        why: "the base moved, and nothing conflicts",
        worker: "fix; commit; owner 'echo x > more.txt'",
        ..LIAR
    },
    Row {
        name: "on-another-branch",
        why: "the work is on a branch that builds on the task's",
        worker: "git checkout --quiet -b feature/mul; fix; commit",
        ..LIAR
    },
    Row {
        name: "assume-unchanged",
        why: "a mark in the index hides nothing from the commit that the orchestrator makes",
        worker: "git update-index --assume-unchanged calc.py; fix",
        ..LIAR
    },
    Row {
        name: "folder-of-a-repository",
        why: "the workspace is one of several projects in a repository",
        project: &[
            (
                "calc/calc.py",
                "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a + b\n",
            ),
            (
                "calc/test_calc.py",
                "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n",
            ),
            (
                "other/test_other.py",
                "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_other(self):\n        self.assertEqual(1, 2)\n",
            ),
        ],
        lines: "- **Workspace:** ../folder-of-a-repository/calc\n",
        worker: "fix",
        ..LIAR
    },
];

#[test]
fn honest_histories_are_archived() {
    OPEN.archives(HISTORIES);
}

#[test]
fn what_was_red_before_holds_nobody() {
    let stage = Stage {
        gate: "containment = \"none\"\nchecks = [ { name = \"all\", run = \"python3 -m unittest\" } ]",
        ..OPEN
    };
    stage.archives(&[Row {
        name: "red-base",
        why: "a test of the base is red and no concern of this task",
        check: "",
        worker: "sed -i '1i def neg(a):\\n    return -a\\n\\n' calc.py; sed -i 's/    def test_add/    def test_neg(self):\\n        self.assertEqual(calc.neg(2), -2)\\n\\n&/' test_calc.py",
        ..LIAR
    }]);
}
