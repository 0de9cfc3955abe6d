//! The console: one line a report on standard output, in colour where it is a terminal.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};

use super::words;
use crate::domain::id::TaskId;
use crate::domain::report::Report;
use crate::telemetry;

/// Prints one report. Colour is dropped by the stream where it is no terminal or `NO_COLOR` is set.
pub fn post(task: &TaskId, report: &Report, at: DateTime<Utc>) -> std::io::Result<()> {
    let style = style(report);
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{} {style}{}{style:#}",
        at.format("%H:%M:%S"),
        telemetry::clean(&words::line(task, report))
    )?;
    out.flush()
}

fn style(report: &Report) -> Style {
    let colour = match report {
        Report::Completed { .. } | Report::Reviewed { .. } => AnsiColor::Green,
        Report::Blocked { .. } | Report::Question { .. } | Report::GateFailed { .. } => AnsiColor::Red,
        Report::Stuck | Report::Escalating { .. } | Report::Medic { .. } => AnsiColor::Yellow,
        Report::Spawning { .. } | Report::Resuming { .. } => AnsiColor::Cyan,
        Report::Paused { .. } | Report::Cancelled { .. } => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(colour.into()))
}
