//! Tables of changes: each way to weaken a test is found, and honest work is left alone.

mod honest;
mod properties;
mod tampering;

use super::*;

/// A file and its two versions; none where it is not there.
pub(super) type Row = (&'static str, Option<&'static str>, Option<&'static str>);

fn side(text: Option<&str>) -> Side<'_> {
    text.map_or(Side::Absent, Side::Text)
}

pub(super) fn of(rows: &[Row]) -> Vec<Finding> {
    let changes: Vec<Change<'_>> = rows
        .iter()
        .map(|(path, was, is)| Change {
            path,
            was: side(*was),
            is: side(*is),
        })
        .collect();
    let commands = ["./check.sh", "make test", "node t.js", "npm run test"].map(str::to_owned);
    let base = Base {
        commands: &commands,
        established: true,
    };
    findings(&changes, &base)
}
