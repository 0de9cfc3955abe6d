//! What the gate kept for people to look at: a file a line.

use super::look::{DIM, GREEN, Look, PLAIN, RED};
use super::table::{Cell, Column, Row, table};
use super::text;
use crate::service::view::{ExhibitView, KeptView};

/// So much of a digest tells one file from another.
const SHORT: usize = 12;

/// The evidence; empty where there is none.
pub fn evidence(all: &[ExhibitView], look: &Look) -> String {
    let rows: Vec<Row> = all.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        Column::new("", 1),
        Column::new("EVIDENCE", 28),
        Column::new("FILE", 60),
        Column::new("SIZE", 9).right(),
        Column::new("TYPE", 24).dropped(3),
        Column::new("SHA-256", SHORT).dropped(2),
        Column::new("", 60).dropped(1),
    ];
    table(&columns, &rows, look)
}

fn rows(exhibit: &ExhibitView) -> Vec<Row> {
    let (mark, style) = match exhibit.verdict.as_str() {
        "passed" => ("✓", GREEN),
        _ => ("✗", RED),
    };
    let row = |cells: [&str; 5]| {
        let [path, size, kind, sha256, remark] = cells;
        Row::Cells(vec![
            Cell::new(mark, style),
            Cell::new(&exhibit.name, PLAIN),
            Cell::new(path, PLAIN),
            Cell::new(size, PLAIN),
            Cell::new(kind, DIM),
            Cell::new(sha256, DIM),
            Cell::new(remark, DIM),
        ])
    };
    if exhibit.files.is_empty() {
        return vec![row(["none", "", "", "", ""])];
    }
    let file = |file: &KeptView| {
        let sha256: String = file.sha256.chars().take(SHORT).collect();
        row([&file.path, &size(file.bytes), &file.kind, &sha256, &remark(file)])
    };
    exhibit.files.iter().map(file).collect()
}

fn remark(file: &KeptView) -> String {
    let told = [
        (file.committed, "committed by the worker"),
        (file.redacted, "without secrets"),
        (file.stored.is_none(), "not kept any more"),
    ];
    let told = told
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, words)| words);
    told.collect::<Vec<_>>().join(", ")
}

/// A size in the unit that people say it in.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// One line that says where a file was put.
pub fn copied(path: &std::path::Path) -> String {
    text::line(&path.display().to_string()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::look;
    use super::*;

    #[test]
    fn a_file_is_a_line() {
        let file = KeptView {
            path: "shots/a\u{1b}[2J.png".into(),
            bytes: 2048,
            kind: "image/png".into(),
            sha256: "ab".repeat(32),
            committed: true,
            redacted: false,
            stored: None,
        };
        let all = [
            ExhibitView {
                name: "home page".into(),
                verdict: "passed".into(),
                files: vec![file],
            },
            ExhibitView {
                name: "bench".into(),
                verdict: "failed".into(),
                files: vec![],
            },
        ];
        let page = evidence(&all, &look(160));
        assert!(!page.contains('\u{1b}'), "{page:?}");
        for words in [
            "✓  home page",
            "2.0 KiB",
            "image/png",
            "abababababab",
            "committed by the worker",
            "✗  bench",
            "not kept any more",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert_eq!(evidence(&[], &look(80)), "");
    }
}
