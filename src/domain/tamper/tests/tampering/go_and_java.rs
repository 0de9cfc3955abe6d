//! In Go and in Java.

use super::{Case, seen};
use crate::domain::tamper::What;

const GO: &str =
    "func TestA(t *testing.T) {\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n";

const JAVA: &str = "class ATest {\n  @Test\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n";

const GO_AND_JAVA_ROWS: &[Case] = &[
    (What::TestGone, "a_test.go", GO, "package a\n"),
    (
        What::Skipped,
        "a_test.go",
        GO,
        "func TestA(t *testing.T) {\n\tt.Skip(\"later\")\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
    ),
    (
        What::Skipped,
        "a_test.go",
        GO,
        "//go:build never\n\nfunc TestA(t *testing.T) {\n\tif got := f(2); got != 4 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
    ),
    (
        What::FewerAssertions,
        "a_test.go",
        GO,
        "func TestA(t *testing.T) {\n\tf(2)\n}\n",
    ),
    (
        What::Expectation,
        "a_test.go",
        GO,
        "func TestA(t *testing.T) {\n\tif got := f(2); got != 5 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n}\n",
    ),
    (
        What::Escapes,
        "a_test.go",
        "func TestMain(m *testing.M) { os.Exit(m.Run()) }\n",
        "func TestMain(m *testing.M) { m.Run(); os.Exit(0) }\n",
    ),
    (
        What::FewerCases,
        "a_test.go",
        "func TestA(t *testing.T) {\n\tfor _, c := range []struct{ a, b int }{{1, 1}, {2, 4}} {\n\t\tassert.Equal(t, c.b, f(c.a))\n\t}\n}\n",
        "func TestA(t *testing.T) {\n\tfor _, c := range []struct{ a, b int }{{1, 1}} {\n\t\tassert.Equal(t, c.b, f(c.a))\n\t}\n}\n",
    ),
    (What::Silenced, "a.go", "x := f()\n", "x := f() //nolint\n"),
    (
        What::TestGone,
        "src/test/java/ATest.java",
        JAVA,
        "class ATest {\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
    ),
    (
        What::Skipped,
        "src/test/java/ATest.java",
        JAVA,
        "class ATest {\n  @Test\n  @Disabled(\"x\")\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
    ),
    (
        What::Skipped,
        "src/test/java/ATest.java",
        JAVA,
        "@Ignore\nclass ATest {\n  @Test\n  void a() {\n    assertEquals(4, f(2));\n  }\n}\n",
    ),
    (
        What::FewerAssertions,
        "src/test/java/ATest.java",
        JAVA,
        "class ATest {\n  @Test\n  void a() {\n    assertTrue(true);\n  }\n}\n",
    ),
    (
        What::Expectation,
        "src/test/java/ATest.java",
        JAVA,
        "class ATest {\n  @Test\n  void a() {\n    assertEquals(5, f(2));\n  }\n}\n",
    ),
    (
        What::Configuration,
        "pom.xml",
        "<project>\n</project>\n",
        "<project>\n<skipTests>true</skipTests>\n</project>\n",
    ),
    (
        What::Configuration,
        "build.gradle",
        "test { useJUnitPlatform() }\n",
        "test { useJUnitPlatform() }\ntest.enabled = false\n",
    ),
];

#[test]
fn go_and_java() {
    seen(GO_AND_JAVA_ROWS);
}
