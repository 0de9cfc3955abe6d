//! The words of orders, with their other spellings, and what each is for.

use strsim::osa_distance;

use super::TaskVerb;

/// The word that an order begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Help,
    Status,
    New,
    OfTask(TaskVerb),
    Usage,
    Archive,
    Agent,
    Clear,
    Save,
    Load,
    Reset,
    Context,
    Settings,
    Stop,
    Start,
}

/// Which word somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Exactly(Word),
    /// The only one that is near.
    Perhaps(Word),
    Nothing,
}

struct Entry {
    word: Word,
    /// The word itself first.
    spellings: &'static [&'static str],
    follows: &'static str,
    does: &'static str,
}

const fn entry(
    word: Word,
    spellings: &'static [&'static str],
    follows: &'static str,
    does: &'static str,
) -> Entry {
    Entry {
        word,
        spellings,
        follows,
        does,
    }
}

use TaskVerb::{Approve, Cancel, Logs, Pause, Reject, Resume, Retry, Show, Tell, Why};
use Word::OfTask;

#[rustfmt::skip]
static WORDS: [Entry; 24] = [
    entry(Word::Status, &["status", "st", "ls", "list"], "", "how everything stands"),
    entry(Word::New, &["new", "queue", "add"], "ID: TITLE, then what is to be done", "a new task"),
    entry(OfTask(Show), &["show", "info"], "ID", "one task: state, gate, questions"),
    entry(OfTask(Why), &["why"], "ID", "what it waits for, and who must act"),
    entry(OfTask(Logs), &["logs", "log", "tail"], "ID [LINES]", "the last that its worker put out"),
    entry(OfTask(Approve), &["approve", "yes", "y", "ok"], "ID [WORDS]", "accept what is shown"),
    entry(OfTask(Reject), &["reject", "no", "n"], "ID WORDS", "send it back"),
    entry(OfTask(Tell), &["tell", "answer", "say"], "ID WORDS", "tell its worker, or answer what it asked"),
    entry(OfTask(Pause), &["pause", "hold"], "ID", "hold it back"),
    entry(OfTask(Resume), &["resume", "continue", "unpause"], "ID", "let it go on"),
    entry(OfTask(Retry), &["retry", "rerun"], "ID", "run it again, all counters reset"),
    entry(OfTask(Cancel), &["cancel"], "ID [WORDS]", "give it up"),
    entry(Word::Usage, &["usage", "cost", "costs"], "", "what was used"),
    entry(Word::Archive, &["archive", "done"], "", "what was finished last"),
    entry(Word::Agent, &["agent", "agents"], "[NAME]", "who can be talked to; with a name: talk to it here"),
    entry(Word::Clear, &["clear"], "", "talk on in a new context"),
    entry(Word::Context, &["context"], "", "how long the context is, and which are kept"),
    entry(Word::Save, &["save"], "NAME", "keep the context"),
    entry(Word::Load, &["load"], "NAME", "go on in one that was kept"),
    entry(Word::Reset, &["reset"], "", "forget the context, and those that were kept"),
    entry(Word::Settings, &["settings", "config"], "", "what is set (owners)"),
    entry(Word::Stop, &["stop"], "all", "end every worker, until !start"),
    entry(Word::Start, &["start"], "", "let go of that (owners)"),
    entry(Word::Help, &["help", "h", "?", "commands"], "", "this"),
];

impl Word {
    pub(super) fn text(self) -> &'static str {
        let entry = WORDS.iter().find(|entry| entry.word == self);
        entry.map_or("help", |entry| entry.spellings[0])
    }

    /// Whether a misspelt one does no harm when it was not meant.
    pub(super) fn can_be_guessed(self) -> bool {
        match self {
            OfTask(Show | Why | Logs) => true,
            OfTask(_) | Word::Stop | Word::Start | Word::Reset | Word::New | Word::Clear | Word::Load => {
                false
            }
            _ => true,
        }
    }
}

pub(super) fn find(written: &str) -> Meant {
    let written = written.trim_end_matches([':', ',', '.', '!']).to_lowercase();
    let all = || {
        WORDS
            .iter()
            .flat_map(|e| e.spellings.iter().map(move |s| (*s, e.word)))
    };
    if let Some((_, word)) = all().find(|(spelling, _)| *spelling == written) {
        return Meant::Exactly(word);
    }
    // Of a short word nearly everything is near.
    let near = match written.chars().count() {
        0..=2 => return Meant::Nothing,
        3..=4 => 1,
        _ => 2,
    };
    let distance = |spelling: &str| osa_distance(spelling, &written);
    let long = all().filter(|(spelling, _)| spelling.len() > 2);
    let mut found: Vec<(usize, Word)> = long
        .map(|(spelling, word)| (distance(spelling), word))
        .filter(|(distance, _)| *distance <= near)
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    match found.as_slice() {
        [] => Meant::Nothing,
        [(least, word), rest @ ..] => match rest.iter().any(|(d, w)| d == least && w != word) {
            true => Meant::Nothing,
            false => Meant::Perhaps(*word),
        },
    }
}

/// What can be said, a line each.
pub fn help() -> String {
    let line = |entry: &Entry| {
        let follows = match entry.follows {
            "" => String::new(),
            follows => format!(" {follows}"),
        };
        format!("!{}{follows} - {}", entry.spellings[0], entry.does)
    };
    let lines: Vec<String> = WORDS.iter().map(line).collect();
    format!(
        "{}\nIn the thread of a task leave its ID out; everything else that you write there is told to its worker.",
        lines.join("\n")
    )
}
