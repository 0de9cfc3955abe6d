use super::*;
use proptest::prelude::*;

fn at() -> DateTime<Utc> {
    "2026-02-09T22:30:00.5Z".parse().unwrap()
}

fn new(kind: Kind) -> String {
    create(&TaskId::parse("t-1").unwrap(), "A title", kind)
}

#[test]
fn a_new_file_has_every_heading() {
    let text = new(Kind::OneOff);
    assert!(
        text.starts_with("# t-1: A title\n\n## Work Log\n\nnone\n\n## Files Changed\n\nnone\n"),
        "{text}"
    );
    assert_eq!(completeness(&text, Kind::OneOff), []);
    assert_eq!(
        completeness(&text, Kind::Continuous),
        [Section::CompletedPhases, Section::NextSteps]
    );
    assert_eq!(
        completeness(&ensure(&text, Kind::Continuous), Kind::Continuous),
        []
    );
    assert_eq!(ensure(&text, Kind::OneOff), text);
    assert_eq!(completeness("", Kind::OneOff).len(), 5);
    assert_eq!(
        completeness("## Work Log\n\n<!-- here -->\n", Kind::OneOff)[0],
        Section::WorkLog
    );
}

#[test]
fn lines_go_to_the_end_of_the_log() {
    let text = append_log(&new(Kind::OneOff), at(), "spawned\nhaiku");
    let text = append_worker_log(&text, at(), "did a\nand b");
    let want = "## Work Log\n\n- 2026-02-09T22:30:00Z [orchestrator] spawned haiku\n- 2026-02-09T22:30:00Z did a\n  and b\n\n## Files Changed\n";
    assert!(text.contains(want), "{text}");
    let crlf = append_log("# x\r\n## Work Log\r\n## Next\r\n", at(), "a");
    assert_eq!(
        crlf,
        "# x\r\n## Work Log\r\n\r\n- 2026-02-09T22:30:00Z [orchestrator] a\r\n## Next\r\n"
    );
    assert_eq!(
        append_log("## Work Log", at(), "a"),
        "## Work Log\n\n- 2026-02-09T22:30:00Z [orchestrator] a"
    );
}

#[test]
fn sections_are_replaced_and_made() {
    let text = set_section(&new(Kind::OneOff), Section::FilesChanged, "- a.rs\n- b.rs\n");
    assert!(
        text.contains("## Files Changed\n\n- a.rs\n- b.rs\n\n## Dependencies Discovered\n"),
        "{text}"
    );
    assert!(set_section(&text, Section::FilesChanged, " ").contains("## Files Changed\n\nnone\n\n## Dep"));
    assert_eq!(
        set_section("hello", Section::Tests, "ok"),
        "hello\n\n## Tests / Verification Done\n\nok\n"
    );
}

#[test]
fn a_workers_entries_are_told_from_the_orchestrators() {
    let text = "# t\n\n## Work Log\n\n- 2026-02-09T22:30:00Z [orchestrator] spawned\n- 2026-02-09T22:31:00Z looked\n  closely\n\n\
                ### 2026-02-09 later\nFound it <!-- hm -->\n\n```\n# code\n```\n* **2026-02-09T23:00:00Z** fixed\nnone\n\n## Files Changed\n- x\n";
    let entries = worker_entries(text);
    let texts: Vec<&str> = entries.iter().map(|e| e.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "looked\n  closely",
            "2026-02-09 later\nFound it",
            "```\n# code\n```",
            "fixed\nnone"
        ]
    );
    assert_eq!(entries.iter().filter(|e| e.at.is_some()).count(), 2);
    assert_eq!(worker_entries(&append_log(&new(Kind::OneOff), at(), "x")), []);
    assert_eq!(
        worker_entries(&append_worker_log(
            &new(Kind::OneOff),
            at(),
            "[orchestrator] me too"
        ))
        .len(),
        1
    );
}

#[test]
fn ticked_boxes_anywhere_and_plain_items_of_the_phases() {
    let text = "## Work Log\n\n- did it\n\n## Acceptance\n\n- [x] answers 200\n- [ ] is fast\n```\n- [x] in code\n```\n\
                ## Completed Phases\n\n- [X] parse\n* print\n- [ ] ship\n\nnone\n";
    assert_eq!(ticked(text), ["answers 200", "parse", "print"]);
    assert_eq!(ticked(&new(Kind::Continuous)), Vec::<String>::new());
}

proptest! {
    #[test]
    fn any_text_is_kept(text in "(## Work Log|## Files Changed|- a|none|```|<!--|-->|text|\r|\n|\\PC){0,20}", line in "\\PC{0,20}") {
        let logged = append_log(&text, at(), &line);
        let kept = text.split(['\n', '\r']).filter(|l| !l.trim().eq_ignore_ascii_case(NONE) && !l.trim().is_empty());
        for line in kept {
            prop_assert!(logged.contains(line), "{line:?} is gone");
        }
        prop_assert!(logged.contains("[orchestrator]"));
        let _ = (worker_entries(&text), ticked(&text), completeness(&text, Kind::Continuous), set_section(&text, Section::Tests, &line));
    }

    #[test]
    fn a_workers_entry_counts_one(entry in "[a-z]{1,9}( [a-z\n]{1,9})?") {
        let before = new(Kind::OneOff);
        let after = append_log(&append_worker_log(&before, at(), &entry), at(), "gate ran");
        let count = usize::from(!entry.trim().eq_ignore_ascii_case(NONE));
        prop_assert_eq!(worker_entries(&after).len(), count);
    }
}
