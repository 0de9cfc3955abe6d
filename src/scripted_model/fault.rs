//! What goes wrong in a script: error statuses, broken streams, silence. Plain values.

use serde_json::Value;

/// Something that goes wrong instead of the answer.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: FaultKind,
    pub(super) times: u32,
}

/// An error status instead of an answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The provider's word, for example `overloaded_error`.
    pub word: String,
    /// For people.
    pub message: String,
    /// Headers such as `retry-after`.
    pub headers: Vec<(String, String)>,
    /// Further fields of the error, such as `code` or `resets_at`.
    pub fields: Vec<(String, Value)>,
}

impl Refusal {
    pub(super) fn new(status: u16, word: &str, message: &str) -> Self {
        Self {
            status,
            word: word.to_owned(),
            message: message.to_owned(),
            headers: Vec::new(),
            fields: Vec::new(),
        }
    }
}

/// The ways in which a call goes wrong.
#[derive(Debug, Clone)]
pub enum FaultKind {
    /// An error status.
    Error(Refusal),
    /// An error event after so many events of the stream.
    ErrorEvent {
        /// Events before it.
        after: usize,
        /// The provider's word.
        word: String,
    },
    /// The connection ends after so many events of the stream.
    Cut {
        /// Events before it.
        after: usize,
    },
    /// Nothing more comes after so many events (`None`: no answer at all), until the server is released or gone.
    Hang {
        /// Events before it.
        after: Option<usize>,
    },
}

impl Fault {
    /// An error status, each time.
    pub fn error(status: u16, word: &str, message: &str) -> Self {
        Self::of(FaultKind::Error(Refusal::new(status, word, message)))
    }

    /// Too many requests, to be asked again after `retry_after` (seconds or a date).
    pub fn rate_limited(retry_after: &str) -> Self {
        Self::error(
            429,
            "rate_limit_error",
            "This request would exceed your rate limit.",
        )
        .header("retry-after", retry_after)
    }

    /// An overloaded provider.
    pub fn overloaded() -> Self {
        Self::error(529, "overloaded_error", "Overloaded")
    }

    /// An error event in mid-stream.
    pub fn error_event(after: usize, word: &str) -> Self {
        Self::of(FaultKind::ErrorEvent {
            after,
            word: word.to_owned(),
        })
    }

    /// A stream that is cut.
    pub fn cut(after: usize) -> Self {
        Self::of(FaultKind::Cut { after })
    }

    /// A call that is never answered.
    pub fn hang() -> Self {
        Self::of(FaultKind::Hang { after: None })
    }

    /// A stream that stands still.
    pub fn hang_after(events: usize) -> Self {
        Self::of(FaultKind::Hang { after: Some(events) })
    }

    /// Strikes the first `times` requests only.
    #[must_use]
    pub fn first(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Adds a header to an error status.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let FaultKind::Error(refusal) = &mut self.kind {
            refusal.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds a field to the error in the body of an error status.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let FaultKind::Error(refusal) = &mut self.kind {
            refusal.fields.push((name.to_owned(), value.into()));
        }
        self
    }

    /// What goes wrong.
    pub fn kind(&self) -> &FaultKind {
        &self.kind
    }

    fn of(kind: FaultKind) -> Self {
        Self {
            kind,
            times: u32::MAX,
        }
    }

    pub(super) fn describe(&self) -> String {
        let what = match &self.kind {
            FaultKind::Error(Refusal { status, word, .. }) => format!("fails with {status} {word}"),
            FaultKind::ErrorEvent { word, .. } => format!("breaks off with {word}"),
            FaultKind::Cut { .. } => "cuts the connection".to_owned(),
            FaultKind::Hang { .. } => "hangs".to_owned(),
        };
        match self.times {
            u32::MAX => format!("{what} each time"),
            1 => format!("{what} once"),
            times => format!("{what} {times} times"),
        }
    }
}
