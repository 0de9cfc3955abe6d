use super::*;
use crate::format::queue::{BlockKind, Mark};

const FILE: &str = "# P\n\n## Active Tasks\n\n### a: A ✅\n- **Status:** done <!-- c -->\n\n#### Validation\n##### Docs\n- x\n#### Notes\n\n### b: B\n- Job: x\n";

#[test]
fn sections_know_their_bytes_lines_and_blocks() {
    let document = Document::parse(FILE.as_bytes().to_vec());
    let [a, b] = document.sections() else {
        panic!("two sections")
    };
    assert_eq!((a.line, a.level, a.mark), (5, 3, Some(Mark::Done)));
    assert_eq!(
        &FILE[a.range.clone()],
        &FILE[FILE.find("### a").unwrap()..FILE.find("### b").unwrap()]
    );
    assert_eq!(a.own, std::slice::from_ref(&a.range));
    assert_eq!(&FILE[a.fields[0].span.clone()], "done");
    let blocks: Vec<_> = a
        .blocks
        .iter()
        .map(|block| (block.kind, block.title.as_str(), block.line))
        .collect();
    let want = [
        (BlockKind::Validation, "Validation", 8),
        (BlockKind::Validation, "Docs", 9),
        (BlockKind::Context, "Notes", 11),
    ];
    assert_eq!(blocks, want);
    assert_eq!(b.range.end, FILE.len());
}

#[test]
fn a_level_two_task_leaves_its_shelf_open() {
    let file = "## Archived Tasks\n### Batch one\n## TASK: a - A\n- Status: done\n# Other\n### b\n- Job: x\n";
    let document = Document::parse(file.as_bytes().to_vec());
    let places: Vec<_> = document
        .sections()
        .iter()
        .map(|s| (s.place, s.under.as_deref()))
        .collect();
    assert_eq!(
        places,
        [
            (Place::Archived, Some("Archived Tasks")),
            (Place::Active, Some("Other"))
        ]
    );
}

#[test]
fn a_hidden_task_is_an_error_and_hidden_prose_a_warning() {
    let severity = |file: &str| Document::parse(file.as_bytes().to_vec()).problems()[0].severity;
    assert_eq!(severity("```\n### a\n"), Severity::Error);
    assert_eq!(severity("```\ntext\n"), Severity::Warning);
    assert_eq!(severity("a\n<!--\n## Archived Tasks\n"), Severity::Error);
}

#[test]
fn an_error_of_the_text_belongs_to_its_task() {
    let document = Document::parse(b"### a\n- Job: x\n>>>>>>> theirs\n".to_vec());
    assert_eq!(
        document.problems()[0].task.as_ref().map(|id| id.as_str()),
        Some("a")
    );
}
