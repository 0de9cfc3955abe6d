use super::*;

fn criteria(texts: &[&str]) -> Vec<Criterion> {
    texts
        .iter()
        .map(|text| Criterion {
            text: (*text).to_owned(),
            checked: false,
        })
        .collect()
}

fn seen() -> Seen {
    let check = |name: &str, run: &str, passed| SeenCheck {
        name: name.to_owned(),
        run: run.to_owned(),
        passed,
    };
    Seen {
        checks: vec![
            check("tests", "cargo test --locked", true),
            check("cargo build", "cargo build --all-targets", true),
            check("lint", "cargo clippy", false),
        ],
        files: ["src/a.rs", "README.md", "Makefile", "my notes.txt"]
            .map(String::from)
            .into(),
        lines: [("src/a.rs".to_owned(), 10)].into(),
        commits: vec!["0123456789abcdef0123456789abcdef01234567".to_owned()],
        exhibits: vec![("home page".to_owned(), vec!["shots/home.png".to_owned()])],
    }
}

fn ticked(number: usize, evidence: &str) -> Answer {
    Answer {
        number: Some(number),
        text: String::new(),
        ticked: true,
        evidence: evidence.to_owned(),
    }
}

fn shows(evidence: &str) -> Result<String, String> {
    let found = findings(&criteria(&["it works"]), &[ticked(1, evidence)], &seen());
    found.into_iter().next().unwrap().shown
}

#[test]
fn what_can_be_looked_up_is_evidence() {
    for (evidence, found) in [
        ("tests", "check tests"),
        ("check tests", "check tests"),
        ("the check `tests` passes.", "check tests"),
        ("Check: tests", "check tests"),
        ("the tests pass", "check tests"),
        ("`cargo test --locked`", "check tests"),
        ("I ran `cargo test`: 12 passed", "check tests"),
        ("I ran cargo build and it is green", "check cargo build"),
        ("src/a.rs", "src/a.rs"),
        ("see `src/a.rs:10`.", "src/a.rs:10"),
        ("src/a.rs:3-7", "src/a.rs:3"),
        ("[the code](./src/a.rs#L4)", "src/a.rs:4"),
        ("Makefile", "Makefile"),
        ("`my notes.txt`", "my notes.txt"),
        ("01234567", "commit 0123456789"),
        (
            "done in commit 0123456789abcdef0123456789abcdef01234567",
            "commit 0123456789",
        ),
        ("home page", "evidence home page"),
        ("evidence home page", "evidence home page"),
        ("shots/home.png", "evidence shots/home.png"),
        (
            "src/a.rs:2, README.md; tests",
            "check tests, src/a.rs:2, README.md",
        ),
        ("src/gone.rs and README.md", "README.md"),
    ] {
        assert_eq!(shows(evidence), Ok(found.to_owned()), "{evidence}");
    }
}

#[test]
fn words_alone_are_none() {
    for (evidence, why) in [
        ("", "no evidence"),
        ("it works, I tried it", "nothing that can be looked up"),
        ("all of the tests pass for me", "nothing that can be looked up"),
        ("all the latests are fine", "nothing that can be looked up"),
        ("lint", "check 'lint' did not pass"),
        ("`cargo clippy`", "check 'lint' did not pass"),
        ("src/gone.rs", "no file 'src/gone.rs'"),
        ("src/a.rs:11", "has 10 lines"),
        ("commit fedcba98", "not on the branch"),
        ("shots/other.png", "no file 'shots/other.png'"),
        ("https://example.org/a.html", "nothing that can be looked up"),
        ("deadbeef is what I feel", "nothing that can be looked up"),
        ("accede", "nothing that can be looked up"),
    ] {
        let found = shows(evidence);
        assert!(
            found.as_ref().is_err_and(|words| words.contains(why)),
            "{evidence}: {found:?}"
        );
    }
}

#[test]
fn each_criterion_has_its_own_line() {
    let all = criteria(&["`GET /audit` answers 200", "The docs say so", "It is fast enough"]);
    let line = |number, text: &str, ticked| Answer {
        number,
        text: text.to_owned(),
        ticked,
        evidence: "tests".to_owned(),
    };
    let of = |answers: &[Answer]| -> Vec<bool> {
        let found = findings(&all, answers, &seen());
        found.iter().map(|finding| finding.shown.is_ok()).collect()
    };
    assert_eq!(of(&[]), [false; 3]);
    let by_words = [
        line(None, "get /audit answers 200", true),
        line(None, "**The docs say so**", true),
        line(None, "It is fast enough", false),
    ];
    assert_eq!(of(&by_words), [true, true, false]);
    let by_number = [line(Some(3), "fast enough", true), line(Some(1), "", true)];
    assert_eq!(of(&by_number), [true, false, true]);
    let moved = [line(Some(2), "It is fast enough", true)];
    assert_eq!(
        of(&moved),
        [false, false, true],
        "its words count, not its old number"
    );
    let other = [line(Some(2), "Something quite different here", true)];
    assert_eq!(of(&other), [false; 3], "of a criterion that there is no more");
    let bare = |text: &str| Answer {
        evidence: String::new(),
        ..line(None, text, true)
    };
    let inline = [
        bare("The docs say so — README.md"),
        bare("It is fast enough (check tests)"),
    ];
    assert_eq!(
        of(&inline),
        [false, true, true],
        "the word evidence may be missing"
    );
    let named = criteria(&["README.md names the flag"]);
    let own = findings(&named, &[bare("README.md names the flag")], &seen());
    assert!(
        own[0].shown.is_err(),
        "what the criterion itself names shows nothing"
    );
    let twice = [line(Some(1), "", true), line(Some(1), "", false)];
    assert_eq!(of(&twice), [true, false, false], "the ticked one counts");
}

proptest::proptest! {
    #[test]
    fn any_words_are_read(text in "\\PC{0,80}", number in 0usize..4) {
        let answer = Answer { text: text.clone(), ..ticked(number, &text) };
        let found = findings(&criteria(&[&text, "b"]), &[answer], &seen());
        proptest::prop_assert_eq!(found.len(), 2);
    }

    #[test]
    fn letters_alone_never_show_anything(text in "[g-z ]{0,60}") {
        proptest::prop_assume!(!text.contains("test"));
        proptest::prop_assert!(shows(&text).is_err());
    }
}
