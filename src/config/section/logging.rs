//! `[logging]`: what the program says about itself on standard error.

use crate::config::reader::Section;
use crate::config::setting::words;

/// `[logging]`.
#[derive(Debug, Clone)]
pub struct Logging {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), or directives such as `info,orchestrator::gate=debug`.
    /// The variable ORCHESTRATOR_LOG wins over it.
    pub level: String,
    /// One line of text, or one JSON object, an event.
    pub format: Format,
}

/// How a log event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

words!(Format { "text" => Text, "json" => Json });

/// What somebody who runs the service wants to know.
fn level() -> String {
    "info".to_owned()
}

/// People read first.
fn format() -> Format {
    Format::Text
}

impl Logging {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            level: section.get_if("level", level, readable),
            format: section.get("format", format),
        }
    }
}

fn readable(level: &String) -> Result<(), String> {
    tracing_subscriber::EnvFilter::builder()
        .parse(level)
        .map(drop)
        .map_err(|fault| format!("{fault}; write error, warn, info, debug or trace"))
}
