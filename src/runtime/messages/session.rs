//! A session's file: the conversation, kept beyond the attempt so that a later one can go on in it.
//!
//! Invariants: a session's name is a UUID and nothing else (it becomes a file name); the file is replaced
//! atomically; a file that is torn, missing or foreign gives a fresh session, and the reason is said.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::conversation::Conversation;

const VERSION: u32 = 1;

/// Where one session is kept.
#[derive(Debug, Clone)]
pub struct Session {
    id: Uuid,
    folder: PathBuf,
}

/// A session to work in.
#[derive(Debug)]
pub struct Opened {
    /// Its place.
    pub session: Session,
    /// What was said so far; empty for a fresh one.
    pub conversation: Conversation,
    /// Whether an earlier conversation goes on.
    pub resumed: bool,
    /// Why the wanted session could not be resumed.
    pub notice: Option<String>,
}

#[derive(Serialize)]
struct Saved<'a> {
    version: u32,
    session: Uuid,
    messages: &'a Conversation,
}

#[derive(Deserialize)]
struct Loaded {
    version: u32,
    session: Uuid,
    messages: Conversation,
}

impl Session {
    /// Opens the session `wanted` in `folder`, or a fresh one.
    pub fn open(folder: &Path, wanted: Option<&str>) -> Opened {
        let fresh = |notice| {
            let session = Self {
                id: Uuid::new_v4(),
                folder: folder.to_owned(),
            };
            Opened {
                session,
                conversation: Conversation::default(),
                resumed: false,
                notice,
            }
        };
        let Some(wanted) = wanted else {
            return fresh(None);
        };
        match Self::load(folder, wanted) {
            Ok((session, conversation)) => Opened {
                session,
                conversation,
                resumed: true,
                notice: None,
            },
            Err(fault) => fresh(Some(format!(
                "the session {wanted:?} cannot be resumed ({fault}); a fresh one begins"
            ))),
        }
    }

    fn load(folder: &Path, wanted: &str) -> Result<(Self, Conversation), String> {
        let id = Uuid::try_parse(wanted).map_err(|_| "its name is no UUID".to_owned())?;
        let session = Self {
            id,
            folder: folder.to_owned(),
        };
        let bytes = fs::read(session.path()).map_err(|fault| fault.to_string())?;
        let loaded: Loaded =
            serde_json::from_slice(&bytes).map_err(|fault| format!("its file is torn: {fault}"))?;
        if loaded.version != VERSION || loaded.session != id {
            return Err("its file is of another version or session".to_owned());
        }
        Ok((session, loaded.messages))
    }

    /// The session's name.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Keeps the conversation; an error leaves the earlier file as it was.
    pub fn save(&self, conversation: &Conversation) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let saved = Saved {
            version: VERSION,
            session: self.id,
            messages: conversation,
        };
        let temporary = self.folder.join(format!(".{}.{}", self.id, std::process::id()));
        let written = write_synced(&temporary, &serde_json::to_vec(&saved)?)
            .and_then(|()| fs::rename(&temporary, self.path()))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if written.is_err() {
            // The error that counts is already at hand.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.id))
    }
}

/// Conversations can hold secrets that the model read: nobody else may look.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::messages::wire::Block;
    use std::os::unix::fs::PermissionsExt;

    fn talk() -> Conversation {
        let mut talk = Conversation::default();
        talk.say(vec![Block::text("hello")]);
        talk
    }

    #[test]
    fn a_saved_session_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let first = Session::open(&folder.path().join("sessions"), None);
        assert!(!first.resumed && first.notice.is_none());
        first.session.save(&talk()).unwrap();
        first.session.save(&talk()).unwrap();
        let path = first.session.path();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            path.parent().unwrap().read_dir().unwrap().count(),
            1,
            "no temporary file is left"
        );
        let again = Session::open(&folder.path().join("sessions"), Some(&first.session.id()));
        assert!(again.resumed);
        assert_eq!(again.conversation, talk());
        assert_eq!(again.session.id(), first.session.id());
    }

    #[test]
    fn what_cannot_be_read_gives_a_fresh_session_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Session::open(folder.path(), None);
        opened.session.save(&talk()).unwrap();
        let path = opened.session.path();
        let whole = fs::read(&path).unwrap();
        let other = Uuid::new_v4().to_string();
        fs::copy(&path, folder.path().join(format!("{other}.json"))).unwrap();
        for (wanted, bytes, word) in [
            (opened.session.id(), &whole[..whole.len() / 2], "torn"),
            (opened.session.id(), &b""[..], "torn"),
            (
                opened.session.id(),
                &b"{\"version\":9,\"session\":\"x\",\"messages\":[]}"[..],
                "torn",
            ),
            (other, &whole[..], "another version or session"),
            (Uuid::new_v4().to_string(), &whole[..], "No such file"),
            ("../../etc/passwd".to_owned(), &whole[..], "no UUID"),
        ] {
            fs::write(&path, bytes).unwrap();
            let again = Session::open(folder.path(), Some(&wanted));
            assert!(!again.resumed && again.conversation == Conversation::default());
            assert!(
                again.notice.as_deref().unwrap().contains(word),
                "{:?}",
                again.notice
            );
            assert_ne!(again.session.id(), wanted);
        }
    }
}
