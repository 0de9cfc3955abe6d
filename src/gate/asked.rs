//! What a task asks the gate for besides its checks: evidence for its criteria, evidence to look at, documentation.

use crate::domain::criteria::Answer;
use crate::domain::definition::Criterion;
use crate::domain::exhibit::ExhibitSpec;

/// All of it; nothing where nothing is asked.
#[derive(Clone, Default)]
pub struct Asked<'a> {
    /// The acceptance criteria, where evidence for them is asked for.
    pub criteria: Option<Criteria<'a>>,
    /// The documentation, where it must change or be waived.
    pub docs: Option<Docs>,
    /// The evidence that people are to look at.
    pub exhibits: &'a [ExhibitSpec],
    /// Where that is kept; where there is none, it is looked at and not kept.
    pub gallery: Option<&'a dyn Gallery>,
}

/// The acceptance criteria and what the worker says of them.
#[derive(Debug, Clone)]
pub struct Criteria<'a> {
    /// What must hold.
    pub list: &'a [Criterion],
    /// What the progress file answers.
    pub answers: Vec<Answer>,
    /// What follows where a criterion has no evidence.
    pub without: Without,
}

/// What follows where a criterion has no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// It is red: the worker can write it, and was told to.
    Red,
    /// A person's word is needed.
    Person,
    /// It rests on the checks: whoever did the work cannot be asked to write.
    Checks,
}

/// That the documentation must change with the work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Docs {
    /// Why it need not, in the worker's words.
    pub waiver: Option<String>,
}

/// Keeps what people are to look at.
pub trait Gallery: Send + Sync {
    /// Keeps a file of the gate's checkout at this commit; secrets are taken out of text.
    fn keep(&self, commit: &str, kind: &str, bytes: &[u8]) -> std::io::Result<Kept>;
}

/// What is kept of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Whether secrets were taken out.
    pub redacted: bool,
}
