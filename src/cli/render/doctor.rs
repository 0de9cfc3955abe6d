//! `doctor`: what the instance needs, and the cure for what it lacks.

use anstyle::Style;
use serde::Serialize;

use super::look::{CYAN, GREEN, Look, RED, YELLOW};
use super::table::{Cell, Column, Row, table};
use super::text;
use crate::cli::exit::Exit;
use crate::service::view::VERSION;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Work goes on, with less than it could have.
    Warn,
    /// Work cannot go on.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// How good it is.
    pub level: Level,
    /// What was found, in one sentence.
    pub detail: String,
    /// What to do, where something is to be done.
    pub cure: Option<String>,
}

/// `doctor --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document<'a> {
    /// [`VERSION`]
    pub version: u32,
    /// In the order they were looked at.
    pub findings: &'a [Finding],
}

/// The findings as a document.
pub fn document(findings: &[Finding]) -> Document<'_> {
    Document {
        version: VERSION,
        findings,
    }
}

/// 0, or 1 where something fails.
pub fn exit(findings: &[Finding]) -> Exit {
    let fails = findings.iter().any(|finding| finding.level == Level::Fail);
    if fails { Exit::Failed } else { Exit::Done }
}

/// The page.
pub fn doctor(findings: &[Finding], look: &Look) -> String {
    let mut rows = Vec::new();
    for finding in findings {
        let (mark, style) = mark(finding.level);
        rows.push(Row::Tall(vec![
            Cell::new(mark, style),
            finding.name.as_str().into(),
            finding.detail.as_str().into(),
        ]));
        let cure = finding.cure.iter().map(|cure| format!("help: {cure}"));
        rows.extend(cure.map(|cure| Row::Tall(vec!["".into(), "".into(), Cell::new(&cure, CYAN)])));
    }
    let columns = [Column::new("", 1), Column::new("", 24), Column::new("", 400)];
    format!("{}\n{}\n", table(&columns, &rows, look), summary(findings, look))
}

fn mark(level: Level) -> (&'static str, Style) {
    match level {
        Level::Ok => ("✓", GREEN),
        Level::Warn => ("⚠", YELLOW),
        Level::Fail => ("✗", RED),
    }
}

fn summary(findings: &[Finding], look: &Look) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => look.paint(GREEN, "All is well."),
        (0, warnings) => look.paint(
            YELLOW,
            &format!("Works, with {}.", text::count(warnings, "warning")),
        ),
        (faults, _) => look.paint(RED, &format!("{} to put right.", text::count(faults, "fault"))),
    }
}
