//! How a room is recognised: the state event that says what it is for, and the alias that follows from it. Pure.
//!
//! Invariants: the alias of a subject is the same on every machine and in every run, so whoever makes a room a second time
//! is told by the server that it is there; a mark counts only where its sender is the account itself (see `topology`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::message::Purpose;

/// The type of the state event that says what a room is for.
pub const MARK: &str = "org.orchestrator.room";
/// The field of a message that holds the key under which it was posted.
pub const KEY: &str = "org.orchestrator.key";
/// The account data that a canary travels in.
pub const CANARY: &str = "org.orchestrator.canary";
/// The shape of the mark.
const SCHEMA: u32 = 1;
/// Longer names are cut, and told apart by a hash: an alias has at most 255 bytes with its server.
const LONGEST: usize = 60;

/// What a room of ours is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The Space that all others are in.
    Space,
    /// A room with a purpose.
    Room(Purpose),
}

/// The content of the state event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// `space`, `instance`, `project` or `agent`.
    #[serde(rename = "for")]
    pub kind: String,
    /// The project's or agent's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of which instance: two of them can share an account.
    pub instance: String,
    /// The version of this shape.
    pub schema: u32,
}

/// The names of one instance's rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    instance: String,
    space: String,
}

impl Names {
    /// Those of an account (`@name:server`) with a Space of this name.
    pub fn new(user: &str, space: &str) -> Self {
        let local = user.trim_start_matches('@').split(':').next().unwrap_or_default();
        let (local, of_space) = (plain(local), plain(space));
        let instance = match local == of_space {
            true => local,
            false => format!("{local}-{of_space}"),
        };
        Self {
            instance,
            space: space.to_owned(),
        }
    }

    /// What is written into a room.
    pub fn mark(&self, subject: &Subject) -> Mark {
        let (kind, name) = parts(subject);
        Mark {
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
            instance: self.instance.clone(),
            schema: SCHEMA,
        }
    }

    /// What a mark stands for; none where it is of another instance, or of a kind that this program does not know.
    pub fn subject(&self, mark: &Mark) -> Option<Subject> {
        if mark.instance != self.instance {
            return None;
        }
        let purpose = match (mark.kind.as_str(), mark.name.clone()) {
            ("space", _) => return Some(Subject::Space),
            ("instance", _) => Purpose::Instance,
            ("project", Some(name)) => Purpose::Project(name),
            ("agent", Some(name)) => Purpose::Agent(name),
            _ => return None,
        };
        Some(Subject::Room(purpose))
    }

    /// The local part of the alias.
    pub fn alias(&self, subject: &Subject) -> String {
        let (kind, name) = parts(subject);
        match name {
            None => format!("orchestrator-{}-{kind}", self.instance),
            Some(name) => format!("orchestrator-{}-{kind}-{}", self.instance, plain(name)),
        }
    }

    /// What people read above the room.
    pub fn title(&self, subject: &Subject) -> String {
        match subject {
            Subject::Space => self.space.clone(),
            Subject::Room(Purpose::Instance) => format!("{}: all", self.space),
            Subject::Room(Purpose::Project(name)) => name.clone(),
            Subject::Room(Purpose::Agent(name)) => format!("🤖 {name}"),
        }
    }

    /// What the room is for, in a sentence.
    pub fn topic(&self, subject: &Subject) -> String {
        match subject {
            Subject::Space => format!("Everything of {}", self.space),
            Subject::Room(Purpose::Instance) => "Digests, and what concerns no single project".to_owned(),
            Subject::Room(Purpose::Project(name)) => {
                format!(
                    "The tasks of {name}: one message a task, its history in the thread. !help tells what can be said"
                )
            }
            Subject::Room(Purpose::Agent(name)) => format!("What {name} does; write here to talk to it"),
        }
    }
}

fn parts(subject: &Subject) -> (&'static str, Option<&str>) {
    match subject {
        Subject::Space => ("space", None),
        Subject::Room(Purpose::Instance) => ("instance", None),
        Subject::Room(Purpose::Project(name)) => ("project", Some(name)),
        Subject::Room(Purpose::Agent(name)) => ("agent", Some(name)),
    }
}

/// A name within the letters of an alias, different for different names: what is no small letter, digit, `-`, `_` or `.`
/// is `=` and its bytes in hexadecimal; a long one is cut and has its hash behind it.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("={byte:02x}")),
        }
    }
    if out.len() > LONGEST {
        let hash = Sha256::digest(name.as_bytes());
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        out.truncate(LONGEST);
        out = format!("{out}-{hash}");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names::new("@bot:example.org", "Home lab")
    }

    fn project(name: &str) -> Subject {
        Subject::Room(Purpose::Project(name.to_owned()))
    }

    #[test]
    fn aliases_are_the_same_everywhere() {
        let rows = [
            (Subject::Space, "orchestrator-bot-=48ome=20lab-space"),
            (
                Subject::Room(Purpose::Instance),
                "orchestrator-bot-=48ome=20lab-instance",
            ),
            (project("site"), "orchestrator-bot-=48ome=20lab-project-site"),
            (project("Site"), "orchestrator-bot-=48ome=20lab-project-=53ite"),
        ];
        for (subject, alias) in rows {
            assert_eq!(names().alias(&subject), alias);
        }
        let same = Names::new("@orchestrator:h", "orchestrator");
        assert_eq!(same.alias(&Subject::Space), "orchestrator-orchestrator-space");
    }

    #[test]
    fn a_mark_of_another_instance_or_kind_is_not_ours() {
        let mark = names().mark(&project("site"));
        let json = serde_json::to_value(&mark).unwrap();
        let wanted = serde_json::json!({"for": "project", "name": "site", "instance": "bot-=48ome=20lab", "schema": 1});
        assert_eq!(json, wanted);
        assert_eq!(names().subject(&mark), Some(project("site")));
        assert_eq!(Names::new("@bot:h", "Other").subject(&mark), None);
        let odd = |kind: &str, name: Option<&str>| Mark {
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
            ..mark.clone()
        };
        assert_eq!(names().subject(&odd("garden", Some("x"))), None);
        assert_eq!(names().subject(&odd("agent", None)), None);
    }

    proptest! {
        #[test]
        fn an_alias_is_one_whatever_the_name(one in "\\PC{1,80}", other in "\\PC{1,80}") {
            let (a, b) = (names().alias(&project(&one)), names().alias(&project(&other)));
            prop_assert_eq!(a == b, one == other);
            prop_assert!(a.len() < 200);
            let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.=".contains(c);
            prop_assert!(a.chars().all(fine));
        }

        #[test]
        fn what_is_written_is_read_again(name in "\\PC{1,40}") {
            let subject = Subject::Room(Purpose::Agent(name));
            prop_assert_eq!(names().subject(&names().mark(&subject)), Some(subject));
        }
    }
}
