//! In JavaScript and TypeScript.

use super::{Case, seen};
use crate::domain::tamper::What;

pub(super) const SCRIPT: &str =
    "test('adds', () => {\n  expect(add(1, 2)).toBe(3);\n  expect(add(2, 2)).toBe(4);\n});\n";

const JAVASCRIPT_ROWS: &[Case] = &[
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
];

#[test]
fn javascript() {
    seen(JAVASCRIPT_ROWS);
}
