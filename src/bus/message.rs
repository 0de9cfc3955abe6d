//! Messages: values with a kind and a version, in an envelope that everybody can carry and only some can read.
//!
//! Invariant: what cannot be read is never guessed at and never dropped: it is [`Unreadable`], with the reason.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value that travels on the bus.
pub trait Message: Serialize + DeserializeOwned {
    /// What it is, in one word that never changes.
    const KIND: &'static str;
    /// The version that is written.
    const VERSION: u32;
    /// The oldest version that can still be read: what a node of the release before writes.
    const OLDEST: u32 = Self::VERSION;
}

/// A message as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope {
    /// What it is.
    #[serde(rename = "k")]
    pub kind: String,
    /// In which version.
    #[serde(rename = "v")]
    pub version: u32,
    /// The value, as JSON text.
    #[serde(rename = "b")]
    pub body: String,
}

/// Why a message cannot be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else was expected.
    #[error("a message of kind '{found}' where '{expected}' belongs")]
    Kind {
        /// What it is.
        found: String,
        /// What belongs here.
        expected: &'static str,
    },
    /// Another version than this program knows.
    #[error(
        "version {found} of '{kind}'; this program reads {oldest} to {newest}: update the node that is behind"
    )]
    Version {
        /// The kind.
        kind: &'static str,
        /// Its version.
        found: u32,
        /// The oldest that is read.
        oldest: u32,
        /// The newest that is read.
        newest: u32,
    },
    /// Not what its kind and version promise.
    #[error("a '{kind}' that cannot be read: {reason}")]
    Body {
        /// The kind.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Envelope {
    /// Puts a value into its envelope.
    ///
    /// # Errors
    /// [`Unreadable::Body`] for a value that has no JSON (a map whose keys are no texts).
    pub fn seal<M: Message>(message: &M) -> Result<Self, Unreadable> {
        Ok(Self {
            kind: M::KIND.to_owned(),
            version: M::VERSION,
            body: serde_json::to_string(message).map_err(|e| broken::<M>(&e))?,
        })
    }

    /// Reads the value.
    pub fn open<M: Message>(&self) -> Result<M, Unreadable> {
        if self.kind != M::KIND {
            return Err(Unreadable::Kind {
                found: self.kind.clone(),
                expected: M::KIND,
            });
        }
        if !(M::OLDEST..=M::VERSION).contains(&self.version) {
            return Err(Unreadable::Version {
                kind: M::KIND,
                found: self.version,
                oldest: M::OLDEST,
                newest: M::VERSION,
            });
        }
        serde_json::from_str(&self.body).map_err(|e| broken::<M>(&e))
    }
}

fn broken<M: Message>(fault: &serde_json::Error) -> Unreadable {
    Unreadable::Body {
        kind: M::KIND,
        reason: fault.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Greeting {
        to: String,
    }

    impl Message for Greeting {
        const KIND: &'static str = "greeting";
        const VERSION: u32 = 3;
        const OLDEST: u32 = 2;
    }

    #[test]
    fn what_is_sealed_is_read() {
        let greeting = Greeting { to: "世界".into() };
        let sealed = Envelope::seal(&greeting).unwrap();
        assert_eq!(sealed.open::<Greeting>().unwrap(), greeting);
        let text = serde_json::to_string(&sealed).unwrap();
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), sealed);
    }

    #[test]
    fn only_known_kinds_and_versions_are_read() {
        let of = |kind: &str, version, body: &str| Envelope {
            kind: kind.into(),
            version,
            body: body.into(),
        };
        let right = r#"{"to":"x"}"#;
        assert!(of("greeting", 2, right).open::<Greeting>().is_ok());
        for (wrong, says) in [
            (of("farewell", 3, right), "'farewell'"),
            (of("greeting", 1, right), "reads 2 to 3"),
            (of("greeting", 4, right), "version 4"),
            (of("greeting", 3, "{"), "cannot be read"),
        ] {
            let said = wrong.open::<Greeting>().unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
