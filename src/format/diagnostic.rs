//! What is wrong with a file, where, and how to put it right: plain data for `lint`, `status` and chat.
//!
//! Invariant: every [`Code`] is described, with its cure, in docs/QUEUE-FILE.md (a test holds it so).
//! Deliberately absent: rendering.

use std::ops::Range;

use serde::Serialize;

use crate::domain::id::TaskId;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The task it belongs to waits until it is put right.
    Error,
    /// Worth a look; nothing waits for it.
    Warning,
}

impl Severity {
    /// The word in reports and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What kind of mistake it is: stable words that scripts and documents can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $word)] $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in reports and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

codes! {
    /// Two sections have one id; neither runs.
    DuplicateId = "duplicate-id",
    /// The status is none of the known words.
    UnreadableStatus = "unreadable-status",
    /// Tasks wait for each other in a circle.
    DependencyCycle = "dependency-cycle",
    /// A task waits for one that nobody knows.
    UnknownDependency = "unknown-dependency",
    /// The parent is a task that nobody knows.
    UnknownParent = "unknown-parent",
    /// The priority is none of the known words.
    UnknownPriority = "unknown-priority",
    /// A place for finished work that there is not.
    UnknownLanding = "unknown-landing",
    /// No number of an issue.
    BadIssue = "bad-issue",
    /// The type is neither `one-off` nor `continuous`.
    UnknownType = "unknown-type",
    /// The name of a task breaks the rules for names.
    BadId = "bad-id",
    /// The budget is no amount of dollars.
    BadBudget = "bad-budget",
    /// The timeout is no length of time.
    BadTimeout = "bad-timeout",
    /// Whether the task is reviewed is neither yes nor no.
    BadReview = "bad-review",
    /// There is no such file in jobs/, or it has errors.
    UnknownJob = "unknown-job",
    /// No configured tier has this name.
    UnknownTier = "unknown-tier",
    /// The lowest tier is above the highest.
    TierRange = "tier-range",
    /// There is no such file in agents/.
    UnknownAgent = "unknown-agent",
    /// No configured runtime has this name.
    UnknownRuntime = "unknown-runtime",
    /// The task has no description.
    MissingDescription = "missing-description",
    /// A file that is to go with the task is not there; its attempts cannot start.
    MissingAttachment = "missing-attachment",
    /// A scope names no paths.
    ScopeIsProse = "scope-is-prose",
    /// A scope leads out of the workspace.
    BadScope = "bad-scope",
    /// Evidence that the task's job does not list, and that is no pattern of files; or a list of a job that cannot be read.
    UnknownEvidence = "unknown-evidence",
    /// One field stands twice in a task; the first counts.
    DuplicateField = "duplicate-field",
    /// A heading with a task's fields has no id, so it is prose.
    HeadingWithoutId = "heading-without-id",
    /// The mark in the heading says something else than the status.
    MarkContradictsStatus = "mark-contradicts-status",
    /// A code block under Validation is in another language than sh or bash.
    FenceNotRun = "fence-not-run",
    /// A code block does not end.
    UnclosedFence = "unclosed-fence",
    /// A comment does not end.
    UnclosedComment = "unclosed-comment",
    /// A merge left its markers in the file.
    MergeConflict = "merge-conflict",
    /// Some bytes are not UTF-8.
    InvalidUtf8 = "invalid-utf8",
    /// The file is too large to be read.
    FileTooLarge = "file-too-large",
    /// A file or a folder of the instance cannot be read.
    UnreadableFile = "unreadable-file",
    /// A job file does not start with front matter between two `---` lines.
    MissingFrontMatter = "missing-front-matter",
    /// The front matter of a job file cannot be read.
    BadFrontMatter = "bad-front-matter",
    /// A job file has a `schedule:`; schedules belong to cron.
    ScheduleInJob = "schedule-in-job",
    /// The name in a job file is not the file's own.
    NameMismatch = "name-mismatch",
    /// A template names a variable that does not exist.
    UnknownVariable = "unknown-variable",
    /// A template cannot be read or rendered.
    BadTemplate = "bad-template",
}

/// A range of bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it, in one sentence.
    pub help: String,
    /// The bytes in question.
    pub span: Span,
    /// The task that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

impl Diagnostic {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::fmt::Display for Diagnostic {
    /// `FILE:LINE:COLUMN: error[code]: message`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file, line, column, ..
        } = self;
        let (severity, code) = (self.severity.as_str(), self.code.as_str());
        write!(f, "{file}:{line}:{column}: {severity}[{code}]: {}", self.message)
    }
}
