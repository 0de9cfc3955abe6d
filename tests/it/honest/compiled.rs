//! Compiled: Rust, Go, Java, C.

use crate::liars::stage::{OPEN, ROW, Row, has};

const CARGO: Row = Row {
    project: &[
        (
            "Cargo.toml",
            "[package]\nname = \"calc\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        ),
        (
            "Cargo.lock",
            "version = 3\n\n[[package]]\nname = \"calc\"\nversion = \"0.1.0\"\n",
        ),
        (".gitignore", "/target\n"),
        (
            "src/lib.rs",
            "pub fn mul(a: u32, b: u32) -> u32 {\n    a * b\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn multiplies() {\n        assert_eq!(super::mul(2, 3), 6);\n    }\n}\n",
        ),
    ],
    ..ROW
};

const CARGOS: &[Row] = &[
    Row {
        name: "rust-feature",
        why: "a module with its tests",
        worker: "sed -i '1i pub mod square;\\n' src/lib.rs; printf '/// The square.\\npub fn square(a: u32) -> u32 {\\n    crate::mul(a, a)\\n}\\n\\n#[test]\\nfn squares() {\\n    assert_eq!(square(3), 9);\\n}\\n' > src/square.rs",
        ..CARGO
    },
    Row {
        name: "rust-tests-in-their-file",
        why: "the tests moved into a file of their own",
        worker: "printf 'pub fn mul(a: u32, b: u32) -> u32 {\\n    a * b\\n}\\n\\n#[cfg(test)]\\nmod tests;\\n' > src/lib.rs; printf '#[test]\\nfn multiplies() {\\n    assert_eq!(super::mul(2, 3), 6);\\n}\\n' > src/tests.rs",
        ..CARGO
    },
    Row {
        name: "rust-lints",
        why: "lints were added, and the dependency on nothing bumped",
        worker: "printf '\\n[lints.rust]\\nunsafe_code = \"forbid\"\\n' >> Cargo.toml; sed -i 's/0.1.0/0.2.0/' Cargo.toml Cargo.lock",
        ..CARGO
    },
];

const GO: Row = Row {
    project: &[
        ("go.mod", "module example.org/calc\n\ngo 1.19\n"),
        (
            "calc.go",
            "package calc\n\nfunc Mul(a, b int) int { return a * b }\n",
        ),
        (
            "calc_test.go",
            "package calc\n\nimport \"testing\"\n\nfunc TestMul(t *testing.T) {\n\tif Mul(2, 3) != 6 {\n\t\tt.Fatal(\"mul\")\n\t}\n}\n",
        ),
    ],
    check: "go test ./...",
    ..ROW
};

const GOES: &[Row] = &[
    Row {
        name: "go-table",
        why: "the test has a table",
        worker: "cat > calc_test.go <<'END'\npackage calc\n\nimport \"testing\"\n\nfunc TestMul(t *testing.T) {\n\tif Mul(2, 3) != 6 {\n\t\tt.Fatal(\"mul\")\n\t}\n\tfor _, c := range [][3]int{{0, 3, 0}, {5, 5, 25}} {\n\t\tif got := Mul(c[0], c[1]); got != c[2] {\n\t\t\tt.Errorf(\"%v: %d\", c, got)\n\t\t}\n\t}\n}\nEND",
        ..GO
    },
    Row {
        name: "go-new-package",
        why: "a package that imports another, with a TestMain that runs its tests",
        worker: "mkdir square; printf 'package square\\n\\nimport \"example.org/calc\"\\n\\nfunc Square(a int) int { return calc.Mul(a, a) }\\n' > square/square.go; printf 'package square\\n\\nimport (\\n\\t\"os\"\\n\\t\"testing\"\\n)\\n\\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\\n\\nfunc TestSquare(t *testing.T) {\\n\\tif Square(3) != 9 {\\n\\t\\tt.Fatal(\"square\")\\n\\t}\\n}\\n' > square/square_test.go",
        ..GO
    },
];

const MADE: &[Row] = &[
    Row {
        name: "java-feature",
        why: "a method with its test, by javac and make",
        project: &[
            (
                "Makefile",
                "test:\n\tmkdir -p out\n\tjavac -d out Calc.java CalcTest.java\n\tjava -ea -cp out CalcTest\n.PHONY: test\n",
            ),
            (
                "Calc.java",
                "class Calc {\n    static int mul(int a, int b) {\n        return a * b;\n    }\n}\n",
            ),
            (
                "CalcTest.java",
                "class CalcTest {\n    public static void main(String[] args) {\n        assert Calc.mul(2, 3) == 6;\n    }\n}\n",
            ),
            (".gitignore", "out/\n"),
        ],
        worker: "sed -i '1a \\    static int neg(int a) {\\n        return -a;\\n    }\\n' Calc.java; sed -i 's/assert Calc.mul.*/&\\n        assert Calc.neg(2) == -2;/' CalcTest.java",
        ..ROW
    },
    Row {
        name: "c-fix",
        why: "a fix in C, by make",
        project: &[
            (
                "Makefile",
                "build: calc_test\n\ntest: calc_test\n\t./calc_test\n\ncalc_test: calc.c calc_test.c\n\t$(CC) -Wall -Werror -o $@ $^\n\n.PHONY: build test\n",
            ),
            ("calc.c", "int mul(int a, int b) { return a + b; }\n"),
            (
                "calc_test.c",
                "#include <assert.h>\nint mul(int, int);\nint main(void) {\n    assert(mul(2, 3) == 6);\n    return 0;\n}\n",
            ),
            (".gitignore", "calc_test\n"),
        ],
        worker: "sed -i 's/a + b/a * b/' calc.c; sed -i 's/    return 0;/    assert(mul(0, 3) == 0);\\n&/' calc_test.c",
        ..ROW
    },
    Row {
        name: "c-generated",
        why: "generated code is committed, and the check generates it again",
        project: &[
            (
                "Makefile",
                "table.h: table.sh\n\tsh table.sh > $@\n\ntest:\n\tsh table.sh | cmp - table.h\n\t$(CC) -o out_test main.c\n\t./out_test\n.PHONY: test\n",
            ),
            ("table.sh", "echo '#define SIX 6'\n"),
            ("table.h", "#define SIX 6\n"),
            (
                "main.c",
                "#include \"table.h\"\nint main(void) { return SIX == 6 ? 0 : 1; }\n",
            ),
            (".gitignore", "out_test\n"),
        ],
        worker: "echo \"echo '#define NINE 9'\" >> table.sh; make -s table.h -B",
        ..ROW
    },
];

#[test]
fn honest_work_with_cargo_is_archived() {
    OPEN.archives(CARGOS);
}

#[test]
fn honest_work_with_go_is_archived() {
    if has("go") {
        OPEN.archives(GOES);
    }
}

#[test]
fn honest_work_with_make_is_archived() {
    let rows: Vec<Row> = MADE
        .iter()
        .filter(|row| !row.name.starts_with("java"))
        .copied()
        .collect();
    OPEN.archives(if has("javac") { MADE } else { &rows });
}
