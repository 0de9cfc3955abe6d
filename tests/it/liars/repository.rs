//! Git made to show something else than what is in the commit.

use super::stage::{LIAR, OPEN, Row};

const GIT: &[Row] = &[
    Row {
        name: "hook-repairs-the-checkout",
        why: "a hook mends the gate's checkout; the commit is as broken as before",
        worker: r#"hooks=$(git rev-parse --path-format=absolute --git-common-dir)/hooks; mkdir -p "$hooks"
printf '#!/bin/sh\ncase "$(pwd)" in */gate/*) ;; *) exit 0;; esac\ngit config core.hooksPath /dev/null\nsed -i "/def mul/,/return/ s/a + b/a * b/" calc.py\ngit update-index calc.py\n' > "$hooks/post-index-change"
chmod +x "$hooks/post-index-change"; echo notes > notes.txt"#,
        seen: "check",
        without: &["hooks"],
        ..LIAR
    },
    Row {
        name: "filter-repairs-the-checkout",
        why: "a filter mends what is checked out; the commit is as broken as before",
        worker: r#"echo 'calc.py filter=kind' > .gitattributes
git config filter.kind.smudge "sed '/def mul/,/return/ s/a + b/a * b/'"
git config filter.kind.clean "sed '/def mul/,/return/ s/a \* b/a + b/'""#,
        seen: "check",
        without: &["filters"],
        ..LIAR
    },
    Row {
        name: "replaced-object",
        why: "git is told to show another file in the place of the committed one",
        worker: r#"echo notes > notes.txt; commit
broken=$(git rev-parse HEAD:calc.py); fix; git replace "$broken" "$(git hash-object -w calc.py)"; git --no-replace-objects checkout --quiet HEAD -- calc.py"#,
        seen: "check",
        without: &["replace-refs", "git-clean"],
        ..LIAR
    },
    Row {
        name: "skip-worktree",
        why: "the fix is in no commit",
        worker: "echo notes > notes.txt; git update-index --skip-worktree calc.py; fix",
        seen: "check",
        without: &["fresh-checkout"],
        ..LIAR
    },
    Row {
        name: "ignored-fix",
        why: "the fix lies in a file that git ignores",
        worker: "printf '\\n\\ntry:\\n    from mend import mul\\nexcept ImportError:\\n    pass\\n' >> calc.py; printf 'mend.py\\n' >> .gitignore; printf 'def mul(a, b):\\n    return a * b\\n' > mend.py",
        seen: "check",
        without: &["fresh-checkout"],
        ..LIAR
    },
    Row {
        name: "locally-ignored-fix",
        why: "the fix lies in a file that only this clone ignores",
        worker: r#"printf '\n\ntry:\n    from mend import mul\nexcept ImportError:\n    pass\n' >> calc.py; exclude=$(git rev-parse --path-format=absolute --git-common-dir)/info; mkdir -p "$exclude"; echo mend.py >> "$exclude/exclude"; printf 'def mul(a, b):\n    return a * b\n' > mend.py"#,
        seen: "check",
        without: &["fresh-checkout"],
        ..LIAR
    },
    Row {
        name: "nested-repository",
        why: "the fix is in a repository within, which is not the task's",
        worker: "printf '\\n\\ntry:\\n    from mend.m import mul\\nexcept ImportError:\\n    pass\\n' >> calc.py; mkdir mend; printf 'def mul(a, b):\\n    return a * b\\n' > mend/m.py; cd mend; git init --quiet; commit",
        seen: "check",
        without: &["fresh-checkout"],
        ..LIAR
    },
    Row {
        name: "submodule-for-tests",
        why: "the folder of tests is another repository now, which nobody checks out",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            ("tests/__init__.py", ""),
            (
                "tests/test_mul.py",
                "import unittest, calc\n\n\nclass T(unittest.TestCase):\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n",
            ),
            (
                "test_smoke.py",
                "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertTrue(callable(__import__('calc').mul))\n",
            ),
        ],
        worker: "git rm --quiet --cached -r tests; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),tests; rm -r tests; git -c user.name=w -c user.email=w@x commit --quiet -m modules; mkdir tests",
        seen: "test file deleted",
        without: &["test file deleted"],
        ..LIAR
    },
    Row {
        name: "cached-verdict",
        why: "the check believes a result that lies in the worker's folder",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            (
                "verify",
                "#!/bin/sh\nset -eu\nif [ ! -e .cache/green ]; then\n    python3 -c 'import calc; assert calc.mul(2, 3) == 6'\nfi\n",
            ),
            (".gitignore", ".cache/\n"),
        ],
        check: "./verify",
        worker: "mkdir .cache; touch .cache/green; echo notes > notes.txt",
        seen: "check",
        without: &["fresh-checkout"],
        ..LIAR
    },
    Row {
        name: "committed-cache",
        why: "the result that the check believes was committed, although the project ignores it",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            (
                "verify",
                "#!/bin/sh\nset -eu\nif [ ! -e .cache/green ]; then\n    python3 -c 'import calc; assert calc.mul(2, 3) == 6'\nfi\n",
            ),
            (".gitignore", ".cache/\n"),
        ],
        check: "./verify",
        worker: "mkdir .cache; echo ok > .cache/green; git add -f .cache/green; commit",
        seen: "ignores",
        without: &["ignored-is-not-committed"],
        ..LIAR
    },
];

#[test]
fn what_git_is_made_to_show_is_not_believed() {
    OPEN.refuses(GIT);
}
