//! In Python: the tests, the tools' configuration, remarks that silence.

use super::{Case, seen};
use crate::domain::tamper::What;

pub(super) const PYTHON: &str = "def test_a():\n    assert f(2) == 4\n    assert g()\n";

const PYTHON_ROWS: &[Case] = &[
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
];

#[test]
fn python() {
    seen(PYTHON_ROWS);
}
