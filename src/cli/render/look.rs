//! How text is to look: colour, width and the present moment.

use std::io::IsTerminal;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};

/// Width of a terminal that does not tell, and of a file or pipe a little more.
const WIDTH: usize = 100;

/// How text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether to colour it.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// The moment that ages are counted from.
    pub now: DateTime<Utc>,
}

impl Look {
    /// The look of standard output. Colour needs a terminal, and that neither `no_color` nor the variable
    /// `NO_COLOR` is set.
    pub fn stdout(no_color: bool, now: DateTime<Utc>) -> Self {
        if no_color {
            ColorChoice::Never.write_global();
        }
        let out = std::io::stdout();
        Self {
            color: AutoStream::choice(&out) != ColorChoice::Never,
            width: size().map_or(WIDTH, |(columns, _)| columns),
            now,
        }
    }

    /// The same look at another moment, and at the terminal's present width: for a loop.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> Self {
        Self {
            now,
            width: size().map_or(self.width, |(columns, _)| columns),
            ..self
        }
    }

    /// A text in a style, where there is colour.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A heading of a part of the page.
    pub fn heading(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What is there but not to be looked at first.
    pub fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }
}

/// Columns and rows of the terminal that standard output is; `None` where it is none.
pub fn size() -> Option<(usize, usize)> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    (size.ws_col > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// No style.
pub const PLAIN: Style = Style::new();
/// In the background.
pub const DIM: Style = Style::new().dimmed();
/// Stands out.
pub const BOLD: Style = Style::new().bold();
/// Good.
pub const GREEN: Style = colour(AnsiColor::Green);
/// Bad.
pub const RED: Style = colour(AnsiColor::Red);
/// Worth a look.
pub const YELLOW: Style = colour(AnsiColor::Yellow);
/// At work.
pub const CYAN: Style = colour(AnsiColor::Cyan);

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}
