//! What a line of output says, and how it looks: a mark, a few lines, bounded.

use anstyle::Style;
use serde_json::Value;

use super::json;
use crate::cli::render::look::{BOLD, CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use crate::cli::render::text;

/// Longest text that is looked at, in bytes.
const MOST_BYTES: usize = 16_384;

/// Something a worker said or did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    mark: &'static str,
    style: Style,
    /// Stands before the text: a tool's name.
    name: String,
    text: String,
    /// The most lines that are shown.
    most: usize,
}

impl Entry {
    fn new(mark: &'static str, style: Style, text: &str, most: usize) -> Self {
        let end = text.floor_char_boundary(MOST_BYTES);
        let cut = if end < text.len() { "…" } else { "" };
        Self {
            mark,
            style,
            name: String::new(),
            text: format!("{}{cut}", &text[..end]),
            most,
        }
    }

    /// A line of a worker that writes plain text.
    pub(super) fn plain(text: &str) -> Self {
        Self::new("", PLAIN, text, 10)
    }

    /// What the model says.
    pub(super) fn said(text: &str) -> Self {
        Self::new("●", PLAIN, text, 60)
    }

    /// What the model thinks.
    pub(super) fn thought(text: &str) -> Self {
        Self::new("·", DIM, text, 6)
    }

    /// A tool is called.
    pub(super) fn call(name: &str, input: &Value) -> Self {
        let entry = Self::new("→", CYAN, &json::input(input), 3);
        Self {
            name: text::line(name),
            ..entry
        }
    }

    /// A tool answered.
    pub(super) fn answer(text: &str, failed: bool) -> Self {
        let text = if text.trim().is_empty() { "(nothing)" } else { text };
        if failed {
            Self::new("✗", RED, text, 12)
        } else {
            Self::new("←", DIM, text, 6)
        }
    }

    /// Something about the run itself.
    pub(super) fn note(text: &str) -> Self {
        Self::new("·", DIM, text, 4)
    }

    /// Something that people should know.
    pub(super) fn warning(text: &str) -> Self {
        Self::new("↻", YELLOW, text, 6)
    }

    /// The end.
    pub(super) fn end(text: &str, failed: bool) -> Self {
        if failed {
            Self::new("✗", RED, text, 20)
        } else {
            Self::new("✓", GREEN, text, 20)
        }
    }

    /// An event of a kind that is not known.
    pub(super) fn other(event: &Value) -> Self {
        Self::new("?", DIM, &json::summary(event), 1)
    }

    /// As lines with an end each.
    pub(super) fn render(&self, look: &Look) -> String {
        let indent = if self.mark.is_empty() { 0 } else { 2 };
        let room = look.width.saturating_sub(indent).max(8);
        let name = if self.name.is_empty() {
            String::new()
        } else {
            format!("{} ", self.name)
        };
        let mut lines = self.lines(text::width(&name), room);
        let hidden = lines.len().saturating_sub(self.most);
        lines.truncate(self.most);
        let mut out = String::new();
        for (n, line) in lines.iter().enumerate() {
            let mark = if n == 0 {
                text::pad(self.mark, indent)
            } else {
                " ".repeat(indent)
            };
            let name = if n == 0 { name.as_str() } else { "" };
            out.push_str(&look.paint(self.style, mark.trim_end()));
            out.push_str(&" ".repeat(indent - text::width(mark.trim_end())));
            out.push_str(&look.paint(BOLD, name));
            out.push_str(&look.paint(self.body(), line));
            out.push('\n');
        }
        if hidden > 0 {
            out.push_str(&look.dim(&format!(
                "{}… {}\n",
                " ".repeat(indent),
                text::count(hidden, "more line")
            )));
        }
        out
    }

    /// The text broken into lines, the first one shorter by the name before it; a name alone is a line.
    fn lines(&self, name: usize, room: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text::lines(&self.text) {
            let free = if lines.is_empty() {
                room.saturating_sub(name).max(8)
            } else {
                room
            };
            if text::width(&line) <= free {
                lines.push(line);
            } else if name > 0 || self.most == 1 {
                lines.push(text::fit(&line, free));
            } else {
                lines.extend(text::wrap(&line, room));
            }
        }
        if lines.is_empty() && name > 0 {
            lines.push(String::new());
        }
        lines
    }

    /// The mark carries the colour; only what is in the background or wrong colours its text too.
    fn body(&self) -> Style {
        if self.style == DIM || self.style == RED {
            self.style
        } else {
            PLAIN
        }
    }
}
