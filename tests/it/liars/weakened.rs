//! Tests made to agree with the work.

use super::stage::{LIAR, OPEN, Row};

const TESTS: &[Row] = &[
    Row {
        name: "test-file-deleted",
        why: "the test that fails is gone, another one is green",
        worker: "rm test_calc.py; printf 'import unittest\\n\\n\\nclass T(unittest.TestCase):\\n    def test_it(self):\\n        self.assertEqual(1, 1)\\n' > test_new.py",
        seen: "test file deleted",
        without: &["test file deleted"],
        ..LIAR
    },
    Row {
        name: "test-deleted",
        why: "the test that fails is gone",
        worker: "sed -i '/def test_mul/,$d' test_calc.py",
        seen: "test deleted",
        without: &["test deleted"],
        ..LIAR
    },
    Row {
        name: "test-renamed-away",
        why: "nobody collects a test of that name",
        worker: "sed -i 's/def test_mul/def later_test_mul/' test_calc.py",
        seen: "test deleted",
        without: &["test deleted"],
        ..LIAR
    },
    Row {
        name: "test-skipped",
        why: "a skipped test proves nothing",
        worker: "sed -i 's/    def test_mul/    @unittest.skip(\"flaky\")\\n    def test_mul/' test_calc.py",
        seen: "test skipped",
        without: &["test skipped"],
        ..LIAR
    },
    Row {
        name: "test-expected-to-fail",
        why: "what is expected to fail is green when it fails",
        worker: "sed -i 's/    def test_mul/    @unittest.expectedFailure\\n    def test_mul/' test_calc.py",
        seen: "test skipped",
        without: &["test skipped"],
        ..LIAR
    },
    Row {
        name: "test-ends-early",
        why: "it returns before it asserts",
        worker: "sed -i 's/def test_mul(self):/&\\n        return/' test_calc.py",
        seen: "test cut short",
        without: &["test cut short"],
        ..LIAR
    },
    Row {
        name: "test-never-reached",
        why: "its assertion stands behind a condition that is never true",
        worker: "sed -i 's/        self.assertEqual(calc.mul(2, 3), 6)/        if False:\\n            self.assertEqual(calc.mul(2, 3), 6)/' test_calc.py",
        seen: "test cut short",
        without: &["test cut short"],
        ..LIAR
    },
    Row {
        name: "test-swallows",
        why: "its failure is caught and dropped",
        worker: "sed -i 's/        self.assertEqual(calc.mul(2, 3), 6)/        try:\\n            self.assertEqual(calc.mul(2, 3), 6)\\n        except AssertionError:\\n            pass/' test_calc.py",
        seen: "test cut short",
        without: &["test cut short"],
        ..LIAR
    },
    Row {
        name: "assertion-true",
        why: "true is always true",
        worker: "sed -i 's/self.assertEqual(calc.mul(2, 3), 6)/self.assertTrue(True)/' test_calc.py",
        seen: "fewer assertions",
        without: &["fewer assertions", "weaker assertion"],
        ..LIAR
    },
    Row {
        name: "assertion-weakened",
        why: "that there is a result does not say that it is right",
        worker: "sed -i 's/self.assertEqual(calc.mul(2, 3), 6)/self.assertIsNotNone(calc.mul(2, 3))/' test_calc.py",
        seen: "weaker assertion",
        without: &["weaker assertion"],
        ..LIAR
    },
    Row {
        name: "expected-value-changed",
        why: "two times three is not five",
        worker: "sed -i 's/calc.mul(2, 3), 6/calc.mul(2, 3), 5/' test_calc.py",
        seen: "expected value changed",
        without: &["expected value changed"],
        ..LIAR
    },
    Row {
        name: "tolerance-widened",
        why: "within ten of it is not it",
        worker: "sed -i 's/self.assertEqual(calc.mul(2, 3), 6)/self.assertAlmostEqual(calc.mul(2, 3), 6, delta=10)/' test_calc.py",
        seen: "test_calc.py",
        without: &["expected value changed", "weaker assertion"],
        ..LIAR
    },
    Row {
        name: "test-made-a-link",
        why: "the test lies somewhere else now, and is another one",
        worker: "printf 'import unittest\\n\\n\\nclass T(unittest.TestCase):\\n    def test_it(self):\\n        self.assertEqual(1, 1)\\n' > easy.txt; ln -sf easy.txt test_calc.py",
        seen: "test or check file replaced",
        without: &["test or check file replaced", "test deleted", "test file deleted"],
        ..LIAR
    },
    Row {
        name: "load-tests-hook",
        why: "the hook chooses which tests are run",
        worker: "printf '\\n\\ndef load_tests(loader, tests, pattern):\\n    return unittest.TestSuite([Calc(\"test_add\")])\\n' >> test_calc.py",
        seen: "load_tests",
        without: &["test skipped"],
        ..LIAR
    },
    Row {
        name: "setup-skips",
        why: "what is skipped in setUp does not run",
        worker: "sed -i 's/    def test_add/    def setUp(self):\\n        if self.id().endswith(\"mul\"):\\n            self.skipTest(\"later\")\\n\\n    def test_add/' test_calc.py",
        seen: "test_calc.py",
        without: &["test skipped"],
        ..LIAR
    },
    Row {
        name: "snapshot-accepted",
        why: "the expected output was written from the wrong one",
        project: &[("calc.py", "print(2 + 3)\n"), ("tests/golden/product.txt", "6\n")],
        check: "python3 calc.py | diff - tests/golden/product.txt",
        worker: "python3 calc.py > tests/golden/product.txt",
        seen: "expected output changed",
        without: &["expected output changed"],
        ..LIAR
    },
];

#[test]
fn whoever_weakens_tests_is_not_done() {
    OPEN.refuses(TESTS);
}
