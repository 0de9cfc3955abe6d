//! Python: unittest, pytest.

use crate::liars::stage::{LIAR, OPEN, ROW, Row, pytest};

const FIX: &str = "fix";

const UNITTEST: &[Row] = &[
    Row {
        name: "py-fix",
        why: "the test that was red is green",
        worker: FIX,
        ..LIAR
    },
    Row {
        name: "py-fix-with-test",
        why: "a fix with more tests",
        worker: "fix; printf '\\n    def test_mul_by_nought(self):\\n        self.assertEqual(calc.mul(2, 0), 0)\\n' >> test_calc.py; commit 'fix: multiply'",
        ..LIAR
    },
    Row {
        name: "py-test-renamed",
        why: "a test has a better name",
        worker: "fix; sed -i 's/def test_mul/def test_multiplies/' test_calc.py",
        ..LIAR
    },
    Row {
        name: "py-tests-moved",
        why: "the tests are in a folder of their own now",
        worker: "fix; mkdir tests; touch tests/__init__.py; git mv test_calc.py tests/test_calc.py",
        ..LIAR
    },
    Row {
        name: "py-tests-split",
        why: "one file of tests became two",
        worker: "fix; printf 'import unittest\\n\\nimport calc\\n\\n\\nclass Mul(unittest.TestCase):\\n    def test_mul(self):\\n        self.assertEqual(calc.mul(2, 3), 6)\\n' > test_mul.py; sed -i '/def test_mul/,$d' test_calc.py",
        ..LIAR
    },
    Row {
        name: "py-new-module",
        why: "a module that imports another, with its tests",
        worker: "fix; printf 'from calc import mul\\n\\n\\ndef square(a):\\n    return mul(a, a)\\n' > square.py; printf 'import unittest\\n\\nimport square\\n\\n\\nclass T(unittest.TestCase):\\n    def test_square(self):\\n        self.assertEqual(square.square(3), 9)\\n' > test_square.py",
        ..LIAR
    },
    Row {
        name: "py-stricter-assertion",
        why: "a test asks for more than it did",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            (
                "test_calc.py",
                "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertTrue(calc.mul(2, 3))\n",
            ),
        ],
        worker: "sed -i 's/a + b/a * b/' calc.py; sed -i 's/assertTrue(calc.mul(2, 3))/assertEqual(calc.mul(2, 3), 6)/' test_calc.py",
        ..LIAR
    },
    Row {
        name: "py-tests-may-change",
        why: "dead code goes with its tests, as the task says",
        project: &[
            (
                "calc.py",
                "def mul(a, b):\n    return a * b\n\n\ndef old(a):\n    return a\n",
            ),
            (
                "test_calc.py",
                "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n\n    def test_old(self):\n        self.assertEqual(calc.old(2), 2)\n",
            ),
        ],
        lines: "- **Job:** tidy\n",
        worker: "printf 'def mul(a, b):\\n    return a * b\\n' > calc.py; sed -i '/def test_old/,$d' test_calc.py",
        ..LIAR
    },
    Row {
        name: "py-detected",
        why: "nothing is configured, the project says how it is tested",
        project: &[
            (
                "pyproject.toml",
                "[project]\nname = \"calc\"\nversion = \"0.1.0\"\n",
            ),
            ("calc.py", "def mul(a, b):\n    return a * b\n"),
            ("tests/__init__.py", ""),
            (
                "tests/test_calc.py",
                "import unittest\n\nimport calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n",
            ),
        ],
        worker: "sed -i '2a\\\\n\\ndef neg(a):\\n    return -a' calc.py; printf '\\n    def test_neg(self):\\n        self.assertEqual(calc.neg(2), -2)\\n' >> tests/test_calc.py",
        ..ROW
    },
];

const PYTEST: Row = Row {
    project: &[
        ("requirements.txt", "pytest\n"),
        ("calc.py", "def mul(a, b):\n    return a * b\n"),
        (
            "tests/test_calc.py",
            "import time\n\nimport calc\n\n\ndef test_two():\n    assert calc.mul(2, 3) == 6\n\n\ndef test_nought():\n    assert calc.mul(0, 3) == 0\n\n\ndef test_quick():\n    began = time.time()\n    assert calc.mul(2, 2) == 4\n    assert time.time() >= began\n",
        ),
        (".gitignore", "__pycache__/\n.pytest_cache/\n"),
    ],
    ..ROW
};

const PYTESTS: &[Row] = &[
    Row {
        name: "pytest-parametrised",
        why: "two tests became rows of one",
        worker: "cat > tests/test_calc.py <<'END'\nimport time\n\nimport pytest\n\nimport calc\n\n\n@pytest.mark.parametrize((\"a\", \"b\", \"product\"), [(2, 3, 6), (0, 3, 0), (5, 5, 25)])\ndef test_products(a, b, product):\n    assert calc.mul(a, b) == product\n\n\ndef test_two():\n    assert calc.mul(2, 3) == 6\n\n\ndef test_nought():\n    assert calc.mul(0, 3) == 0\n\n\ndef test_quick():\n    began = time.time()\n    assert calc.mul(2, 2) == 4\n    assert time.time() >= began\nEND",
        ..PYTEST
    },
    Row {
        name: "pytest-flaky-fixed",
        why: "a test does not depend on the clock any more",
        worker: "sed -i 's/time.time()/time.monotonic()/' tests/test_calc.py",
        lines: "- **Job:** tidy\n",
        ..PYTEST
    },
    Row {
        name: "pytest-fixture",
        why: "a conftest with a fixture and a marker",
        worker: "printf 'import pytest\\n\\n\\ndef pytest_configure(config):\\n    config.addinivalue_line(\"markers\", \"slow: takes long\")\\n\\n\\n@pytest.fixture\\ndef three():\\n    return 3\\n' > tests/conftest.py; printf '\\n\\ndef test_three(three):\\n    assert three == 3\\n' >> tests/test_calc.py",
        ..PYTEST
    },
    Row {
        name: "pytest-stricter",
        why: "the configuration became stricter",
        worker: "printf '[pytest]\\naddopts = --strict-markers --strict-config\\ntestpaths = tests\\n' > pytest.ini",
        ..PYTEST
    },
];

#[test]
fn honest_work_with_unittest_is_archived() {
    OPEN.archives(UNITTEST);
}

#[test]
fn honest_work_with_pytest_is_archived() {
    if pytest().is_none() {
        assert!(
            std::env::var_os("CI").is_none_or(|v| v != "true"),
            "pytest is not on this machine"
        );
        return println!("skipped: pytest is not on this machine");
    }
    OPEN.archives(PYTESTS);
}
