use super::*;

const ACCEPT: &str = r#"{"verdict":"accept","blockers":[],"should_fix":[],"security":[],
    "criteria":[{"number":1,"verdict":"met","file":"src/a.rs","line":3,"note":"tested there"}]}"#;
const REJECT: &str = r#"{"verdict":"reject","blockers":[{"file":"src/a.rs","line":10,"what":"divides by zero","why":"empty list"}],
    "should_fix":[],"security":[],"criteria":[{"number":1,"verdict":"unclear","file":null,"line":null,"note":"no test"}]}"#;

fn read(message: &str) -> Result<Opinion, Flaw> {
    let lines_of = |file: &str| match file {
        "src/a.rs" => Some(10),
        "empty" => Some(0),
        _ => None,
    };
    let asked = Asked {
        criteria: 1,
        lines_of: &lines_of,
    };
    parse(message, &asked)
}

#[test]
fn the_exact_form_is_read_wherever_it_stands() {
    let fenced = format!("I looked at {{all}} of it.\n\n```json\n{ACCEPT}\n```\nThat is all.");
    for message in [ACCEPT, &fenced, &format!("{{\"a\":1}} {ACCEPT}")] {
        let opinion = read(message).unwrap();
        assert!(opinion.accepts && opinion.criteria.len() == 1, "{message}");
    }
    let no = read(REJECT).unwrap();
    assert_eq!((no.accepts, no.objections().len()), (false, 2));
    assert_eq!(no.blockers[0].why, "empty list");
}

/// Rows: what is done to the acceptance above, and a word of the complaint.
#[test]
fn nothing_else_is_an_acceptance() {
    let with = |from: &str, to: &str| {
        assert!(ACCEPT.contains(from), "{from}");
        ACCEPT.replace(from, to)
    };
    let blocker = r#"{"file":"src/a.rs","line":1,"what":"w","why":"y"}"#;
    let high = r#"{"severity":"high","file":"src/a.rs","line":1,"what":"w","why":"y"}"#;
    let rows = [
        (String::new(), "no JSON object"),
        ("ACCEPT. The work is excellent.".to_owned(), "no JSON object"),
        ("{\"verdict\":\"accept\"".to_owned(), "no JSON object"),
        (format!("[{ACCEPT},{ACCEPT}]"), "there are 2"),
        (
            format!("The code says {ACCEPT}, and I say {REJECT}"),
            "there are 2",
        ),
        ("{\"verdict\":\"accept\"}".to_owned(), "missing field `blockers`"),
        (with("\"blockers\":[],", ""), "missing field `blockers`"),
        (
            with("\"criteria\":[", "\"more\":1,\"criteria\":["),
            "unknown field `more`",
        ),
        (
            with("{\"verdict\"", "{\"verdict\":\"reject\",\"verdict\""),
            "duplicate field",
        ),
        (with("\"accept\"", "\"ACCEPT\""), "unknown variant"),
        (with("\"accept\"", "true"), "not of the form"),
        (with("\"blockers\":[]", "\"blockers\":null"), "not of the form"),
        (
            with("\"blockers\":[]", &format!("\"blockers\":[{blocker}]")),
            "contradicts itself",
        ),
        (
            with("\"security\":[]", &format!("\"security\":[{high}]")),
            "contradicts itself",
        ),
        (with("\"met\"", "\"not-met\""), "contradicts itself"),
        (with("\"met\"", "\"unclear\""), "contradicts itself"),
        (with("\"met\"", "\"mostly\""), "unknown variant"),
        (with("\"number\":1", "\"number\":2"), "no criterion 2"),
        (
            ACCEPT.replace(
                "{\"number\"",
                &format!(
                    "{}{{\"number\"",
                    &ACCEPT[ACCEPT.find("{\"number\"").unwrap()..ACCEPT.rfind(']').unwrap()]
                        .replace('}', "},")
                ),
            ),
            "exactly once",
        ),
        (with("\"src/a.rs\"", "\"src/b.rs\""), "no file 'src/b.rs'"),
        (
            with("\"src/a.rs\",\"line\":3", "\"src/a.rs\",\"line\":11"),
            "has 10 lines",
        ),
        (with("\"line\":3", "\"line\":0"), "no line 0"),
        (with("\"line\":3", "\"line\":-1"), "not of the form"),
        (with("\"line\":3", "\"line\":null"), "no file and line"),
        (
            with("\"src/a.rs\",\"line\":3", "null,\"line\":null"),
            "no file and line",
        ),
        (with("\"tested there\"", "\" \\n\""), "has no note"),
        (
            REJECT
                .replace(
                    "\"unclear\",\"file\":null,\"line\":null",
                    "\"met\",\"file\":\"empty\",\"line\":1",
                )
                .replace(
                    &REJECT[REJECT.find("[{").unwrap()..REJECT.find("}]").unwrap() + 2],
                    "[]",
                ),
            "rejects, and names no",
        ),
    ];
    for (message, complaint) in rows {
        let flaw = read(&message).unwrap_err().to_string();
        assert!(flaw.contains(complaint), "{message}\n{flaw}");
    }
}

#[test]
fn a_criterion_may_not_be_left_out() {
    let none = ACCEPT.replace(&ACCEPT[ACCEPT.find("[{").unwrap()..], "[]}");
    assert_eq!(read(&none), Err(Flaw::Criterion(1)));
}

#[test]
fn texts_are_lines_fit_to_be_shown() {
    let long = REJECT.replace(
        "divides by zero",
        &format!("a\\u001b[2K\\n\\n b {}", "x".repeat(5000)),
    );
    let what = read(&long).unwrap().blockers[0].what.clone();
    assert!(
        what.starts_with("a [2K b xxx") && what.chars().count() == TEXT,
        "{what}"
    );
}

proptest::proptest! {
    /// Whatever comes, it is read or refused, and what is accepted has no objection.
    #[test]
    fn garbage_is_refused_quietly(text in r#"([ -~]|\n|"|\{|\}|\[|\]|é|"verdict":"accept"){0,200}"#) {
        if let Ok(opinion) = read(&text) {
            proptest::prop_assert!(opinion.objections().is_empty() == opinion.accepts);
        }
    }

    /// A piece that is taken out, doubled or changed never makes more of the answer than it was.
    #[test]
    fn a_damaged_answer_never_accepts_more(at in 0usize..REJECT.len(), put in "[ -~]{0,3}", drop in 0usize..6) {
        let end = (at + drop).min(REJECT.len());
        if let (Some(head), Some(tail)) = (REJECT.get(..at), REJECT.get(end..)) {
            let read = read(&format!("{head}{put}{tail}"));
            proptest::prop_assert!(!read.is_ok_and(|opinion| opinion.accepts));
        }
    }
}
