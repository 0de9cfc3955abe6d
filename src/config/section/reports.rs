//! `[reports]`: what people are told, and where.

use crate::config::reader::Section;
use crate::config::setting::words;

/// `[reports]`.
#[derive(Debug, Clone)]
pub struct Reports {
    /// Report lines on standard output.
    pub console: Console,
}

/// How report lines look on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// With colour on a terminal, plain elsewhere.
    Auto,
    /// Without colour.
    Plain,
    /// Not at all.
    Off,
}

words!(Console { "auto" => Auto, "plain" => Plain, "off" => Off });

/// As the reader's terminal can show it.
fn console() -> Console {
    Console::Auto
}

impl Reports {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            console: section.get("console", console),
        }
    }
}
