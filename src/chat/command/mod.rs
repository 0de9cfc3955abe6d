//! What people want, read from what they write: the same words in every chat. Pure.
//!
//! Invariants: a word that cannot be taken back is never guessed from a misspelt one; talk among people is not taken for an
//! order. Deliberately absent: who may (`domain::role` and `service::surface`), and which task is meant where none is named.

mod word;

use crate::domain::role::Role;
use word::{Meant, Word};

pub use word::help;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// To know what can be said.
    Help,
    /// To know how everything stands.
    Status,
    /// A new task.
    New {
        /// Its id and title, or words to make them of.
        text: String,
    },
    /// Something of a task.
    Task {
        /// What.
        verb: TaskVerb,
        /// The task as it was named; none: the one that is talked about.
        of: Option<String>,
        /// Further words.
        words: String,
    },
    /// What was used.
    Usage,
    /// What was finished last.
    Archive,
    /// Which agents there are, or to talk to one of them from now on.
    Agent {
        /// Its name.
        name: Option<String>,
    },
    /// To talk on in a new context.
    Clear,
    /// To keep the context under a name.
    Save {
        /// The name.
        name: String,
    },
    /// To talk on in a context that was kept.
    Load {
        /// Its name.
        name: String,
    },
    /// To forget the context, and those that were kept.
    Reset,
    /// To know how long the context is, and which are kept.
    Context,
    /// To know what is set.
    Settings,
    /// To stop everything.
    StopAll,
    /// To let go of that.
    Start,
}

/// What can be wanted of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskVerb {
    /// Where it stands.
    Show,
    /// What it waits for.
    Why,
    /// What its worker puts out.
    Logs,
    /// Hold it back.
    Pause,
    /// Let it go on.
    Resume,
    /// Give it up.
    Cancel,
    /// Run it again.
    Retry,
    /// Accept what is shown.
    Approve,
    /// Send it back.
    Reject,
    /// Tell its worker, or answer it.
    Tell,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// An order.
    Order(Order),
    /// An order that is not understood; in a sentence, with what to say instead.
    Unclear(String),
    /// Words.
    Words,
}

/// Where a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// Whether the bot is meant beyond doubt.
    pub addressed: bool,
    /// Whether it is a thread about a task.
    pub of_task: bool,
}

impl Order {
    /// Who may want it.
    pub fn needs(&self) -> Role {
        match self {
            Self::Help | Self::Status | Self::Usage | Self::Archive | Self::Context => Role::Viewer,
            Self::Task { verb, .. } => verb.needs(),
            Self::New { .. } | Self::Agent { .. } | Self::Clear | Self::Save { .. } | Self::Load { .. } => {
                Role::Operator
            }
            Self::Reset | Self::StopAll => Role::Operator,
            Self::Settings | Self::Start => Role::Owner,
        }
    }
}

impl TaskVerb {
    /// Who may want it.
    pub fn needs(self) -> Role {
        match self {
            Self::Show | Self::Why | Self::Logs => Role::Viewer,
            _ => Role::Operator,
        }
    }
}

/// Reads a message. What begins with `!` is an order; without it, where the bot is addressed, or where one word of a
/// thread about a task is an order to the letter.
pub fn read(text: &str, around: Around) -> Read {
    let text = text.trim();
    let (body, marked) = match text.strip_prefix(['!', '/']) {
        Some(rest) => (rest.trim_start(), true),
        None => (text, false),
    };
    let (first, rest) = split(body);
    if first.is_empty() {
        return match marked || around.addressed {
            true => Read::Order(Order::Help),
            false => Read::Words,
        };
    }
    let alone = around.of_task && rest.is_empty();
    match word::find(first) {
        Meant::Exactly(word) if marked || alone || (around.addressed && !around.of_task) => {
            order(word, rest, around)
        }
        // Whoever addresses the bot in a thread steers the task: only what is marked, or one word, is an order there.
        _ if !marked && (around.of_task || !around.addressed) => Read::Words,
        Meant::Exactly(word) => order(word, rest, around),
        Meant::Perhaps(word) if word.can_be_guessed() && marked => order(word, rest, around),
        Meant::Perhaps(word) => Read::Unclear(format!(
            "there is no '{}'; did you mean !{}? Then write that.",
            first.escape_debug(),
            word.text()
        )),
        Meant::Nothing if marked => Read::Unclear(format!(
            "there is no '{}'; !help lists what there is.",
            first.escape_debug()
        )),
        Meant::Nothing => Read::Words,
    }
}

fn order(word: Word, rest: &str, around: Around) -> Read {
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Read::Order(match word {
        Word::Help => Order::Help,
        Word::Status => Order::Status,
        Word::Usage => Order::Usage,
        Word::Archive => Order::Archive,
        Word::Clear => Order::Clear,
        Word::Reset => Order::Reset,
        Word::Context => Order::Context,
        Word::Settings => Order::Settings,
        Word::Start => Order::Start,
        Word::Agent => Order::Agent { name: named(rest) },
        Word::New if rest.is_empty() => return missing("new", "ID: TITLE"),
        Word::New => Order::New {
            text: rest.to_owned(),
        },
        Word::Save | Word::Load if split(rest).0.is_empty() => return missing(word.text(), "NAME"),
        Word::Save => Order::Save {
            name: split(rest).0.to_owned(),
        },
        Word::Load => Order::Load {
            name: split(rest).0.to_owned(),
        },
        Word::Stop if rest.trim_start_matches("--").eq_ignore_ascii_case("all") => Order::StopAll,
        Word::Stop => {
            let why = "!stop all ends every worker; to hold back one task: !pause ID.";
            return Read::Unclear(why.to_owned());
        }
        Word::OfTask(verb) => return of_task(word, verb, rest, around),
    })
}

/// In a thread about a task it is meant, and everything that follows is words.
fn of_task(word: Word, verb: TaskVerb, rest: &str, around: Around) -> Read {
    if around.of_task {
        let words = rest.to_owned();
        return Read::Order(Order::Task {
            verb,
            of: None,
            words,
        });
    }
    let (of, words) = split(rest);
    if of.is_empty() {
        return missing(word.text(), "ID");
    }
    Read::Order(Order::Task {
        verb,
        of: Some(of.trim_matches('`').to_owned()),
        words: words.to_owned(),
    })
}

fn missing(word: &str, what: &str) -> Read {
    Read::Unclear(format!("!{word} {what}: something is missing."))
}

fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim())
}

#[cfg(test)]
mod tests;
