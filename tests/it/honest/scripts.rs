//! Shell and Perl, documents, and files of every kind, with the checks in their sandbox.

use crate::liars::stage::{CELL, OPEN, ROW, Row, has};

const TREE: Row = Row {
    project: &[
        ("README.md", "# Calc\n\nSee [the guide](docs/guide.md).\n"),
        ("docs/guide.md", "# Guide\n"),
        (
            "check.sh",
            "#!/bin/sh\nset -eu\ngrep -q Calc README.md\ntest -f docs/guide.md\n",
        ),
    ],
    check: "./check.sh",
    ..ROW
};

const FILES: &[Row] = &[
    Row {
        name: "docs-only",
        why: "a chapter more, and a link to it",
        worker: "printf '# Usage\\n' > docs/usage.md; echo 'See [usage](docs/usage.md).' >> README.md",
        ..TREE
    },
    Row {
        name: "all-reformatted",
        why: "every file has other white space",
        worker: "sed -i 's/^# /#  /' README.md docs/guide.md",
        ..TREE
    },
    Row {
        name: "executable-bit",
        why: "a script may be run now",
        before: "printf '#!/bin/sh\\nexit 0\\n' > run; chmod 644 run",
        check: "./check.sh && ./run",
        worker: "chmod 755 run",
        ..TREE
    },
    Row {
        name: "unicode-names",
        why: "names in other scripts, with spaces",
        worker: "mkdir 'größe und maß'; echo x > 'größe und maß/数 字.md'; echo y > \"it's.md\"",
        ..TREE
    },
    Row {
        name: "windows-lines",
        why: "a file with carriage returns stays one",
        before: "printf 'a\\r\\nb\\r\\n' > lines.txt",
        check: "test $(grep -c $(printf '\\r') lines.txt) = 3",
        worker: "printf 'c\\r\\n' >> lines.txt",
        ..TREE
    },
    Row {
        name: "windows-lines-by-attribute",
        why: "the repository says how lines end",
        before: "printf '*.bat text eol=crlf\\n' > .gitattributes; printf 'echo a\\n' > a.bat",
        worker: "printf 'echo b\\r\\n' > b.bat",
        ..TREE
    },
    Row {
        name: "empty-folders",
        why: "a folder that is kept by a file",
        worker: "mkdir -p data/in; touch data/in/.gitkeep",
        ..TREE
    },
    Row {
        name: "links-within",
        why: "a link that stays in the repository",
        worker: "ln -s docs/guide.md GUIDE.md; ln -s docs handbook",
        check: "./check.sh && test -f handbook/guide.md && test -f GUIDE.md",
        ..TREE
    },
    Row {
        name: "large-file",
        why: "a file of 900 kB",
        worker: "seq 1 130000 > docs/numbers.txt",
        ..TREE
    },
    Row {
        name: "ignored-output",
        why: "the check builds into a folder that git ignores",
        before: "printf 'build/\\n' > .gitignore",
        check: "mkdir -p build && cp README.md build/ && test -s build/README.md",
        worker: "echo more >> README.md; mkdir build; echo old > build/README.md",
        ..TREE
    },
    Row {
        name: "vendored",
        why: "a library is vendored, its tests too",
        worker: "mkdir -p vendor/lib/tests; echo 'echo lib' > vendor/lib/lib.sh; echo 'sh lib.sh | grep -q lib' > vendor/lib/tests/test_lib.sh",
        ..TREE
    },
    Row {
        name: "stricter-script",
        why: "what the project calls its linter finds more, and a new script looks at it",
        worker: "printf '#!/bin/sh\\nset -eu\\n! grep -n \"TODO\" README.md\\n' > lint.sh; chmod +x lint.sh; ./lint.sh",
        ..TREE
    },
];

const SCRIPTS: &[Row] = &[
    Row {
        name: "bash-feature",
        why: "a function with a test, in bash",
        project: &[
            ("calc.sh", "mul() { echo $(($1 * $2)); }\n"),
            (
                "test.sh",
                "#!/bin/bash\nset -eu\n. ./calc.sh\n[ \"$(mul 2 3)\" = 6 ] || exit 1\n",
            ),
            ("Makefile", "test:\n\tbash test.sh\n"),
        ],
        worker: "echo 'neg() { echo $((-$1)); }' >> calc.sh; echo '[ \"$(neg 2)\" = -2 ] || exit 1' >> test.sh",
        ..ROW
    },
    Row {
        name: "makefile-more",
        why: "the Makefile tests more",
        project: &[("a.txt", "a\n"), ("Makefile", "test:\n\tgrep -q a a.txt\n")],
        worker: "printf 'test:\\n\\tgrep -q a a.txt\\n\\tgrep -q b b.txt\\n' > Makefile; echo b > b.txt",
        ..ROW
    },
];

const PERL: &[Row] = &[Row {
    name: "perl-feature",
    why: "a function with a test, by prove",
    project: &[
        (
            "lib/Calc.pm",
            "package Calc;\nsub mul { return $_[0] * $_[1]; }\n1;\n",
        ),
        (
            "t/calc.t",
            "use Test::More;\nuse Calc;\nis(Calc::mul(2, 3), 6, 'mul');\ndone_testing;\n",
        ),
    ],
    check: "prove -l t",
    worker: "sed -i 's/^1;/sub neg { return -$_[0]; }\\n1;/' lib/Calc.pm; sed -i \"s/^done/is(Calc::neg(2), -2, 'neg');\\ndone/\" t/calc.t",
    ..ROW
}];

#[test]
fn honest_work_with_files_is_archived() {
    CELL.archives(FILES);
}

#[test]
fn honest_work_with_scripts_is_archived() {
    OPEN.archives(SCRIPTS);
    if has("prove") {
        OPEN.archives(PERL);
    }
}
