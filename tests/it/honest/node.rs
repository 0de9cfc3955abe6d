//! Node: packages without dependencies, and with one that is vendored.

use crate::liars::stage::{OPEN, ROW, Row, has};

const NODE: Row = Row {
    project: &[
        (
            "package.json",
            "{\n  \"name\": \"calc\",\n  \"version\": \"1.0.0\",\n  \"scripts\": {\n    \"lint\": \"node --check calc.js\",\n    \"test\": \"node --test\"\n  }\n}\n",
        ),
        ("calc.js", "exports.mul = (a, b) => a * b;\n"),
        (
            "calc.test.js",
            "const test = require('node:test');\nconst assert = require('node:assert');\nconst calc = require('./calc.js');\n\ntest('mul', () => {\n  assert.strictEqual(calc.mul(2, 3), 6);\n});\n",
        ),
        (".gitignore", "node_modules/\n"),
    ],
    ..ROW
};

const NODES: &[Row] = &[
    Row {
        name: "node-feature",
        why: "a function and its test",
        worker: "echo 'exports.neg = (a) => -a;' >> calc.js; printf \"\\ntest('neg', () => {\\n  assert.strictEqual(calc.neg(2), -2);\\n});\\n\" >> calc.test.js",
        ..NODE
    },
    Row {
        name: "node-described",
        why: "tests moved into a group",
        worker: "cat > calc.test.js <<'END'\nconst { describe, test } = require('node:test');\nconst assert = require('node:assert');\nconst calc = require('./calc.js');\n\ndescribe('calc', () => {\n  test('mul', () => {\n    assert.strictEqual(calc.mul(2, 3), 6);\n  });\n});\nEND",
        ..NODE
    },
    Row {
        name: "node-more-checks",
        why: "the test script does more",
        worker: "sed -i 's/node --test\"/node --test \\&\\& node --check calc.test.js\"/' package.json",
        ..NODE
    },
    Row {
        name: "node-bump",
        why: "a vendored dependency and its lock file have a new version",
        project: &[
            (
                "package.json",
                "{\n  \"name\": \"app\",\n  \"version\": \"1.0.0\",\n  \"scripts\": {\n    \"test\": \"node --test\"\n  },\n  \"dependencies\": {\n    \"dep\": \"file:vendor/dep\"\n  }\n}\n",
            ),
            (
                "vendor/dep/package.json",
                "{\n  \"name\": \"dep\",\n  \"version\": \"1.0.0\"\n}\n",
            ),
            ("vendor/dep/index.js", "module.exports = 1;\n"),
            (
                "package-lock.json",
                "{\n  \"name\": \"app\",\n  \"version\": \"1.0.0\",\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n  \"packages\": {\n    \"\": {\n      \"name\": \"app\",\n      \"version\": \"1.0.0\",\n      \"dependencies\": {\n        \"dep\": \"file:vendor/dep\"\n      }\n    },\n    \"node_modules/dep\": {\n      \"resolved\": \"vendor/dep\",\n      \"link\": true\n    },\n    \"vendor/dep\": {\n      \"version\": \"1.0.0\"\n    }\n  }\n}\n",
            ),
            (
                "app.test.js",
                "const test = require('node:test');\nconst assert = require('node:assert');\ntest('dep', () => {\n  assert.ok(require('dep') >= 1);\n});\n",
            ),
            (".gitignore", "node_modules/\n"),
        ],
        worker: "sed -i 's/1.0.0/1.1.0/' vendor/dep/package.json; sed -i '/\"vendor\\/dep\": {/,/}/ s/1.0.0/1.1.0/' package-lock.json; echo 'module.exports = 2;' > vendor/dep/index.js",
        ..NODE
    },
];

#[test]
fn honest_work_with_node_is_archived() {
    if has("npm") {
        OPEN.archives(NODES);
    }
}
