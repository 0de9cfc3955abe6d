//! What is kept on disk of a device: its session, how far it has heard, the recovery key, and the lock that makes one
//! process alone use it.
//!
//! Invariants: the folder is the owner's alone (0700), its files are 0600; a file is written whole or not at all; losing the
//! folder loses no room and no message, only the device (`identity` takes up what the server keeps).

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::ChatError;

/// The session of the device.
const SESSION: &str = "session.json";
/// How far it has heard, and what it could not read yet.
const HEARD: &str = "heard.json";
/// What recovers the account's keys on another device.
const RECOVERY: &str = "recovery-key.txt";
/// The library's databases.
const STORE: &str = "store";
/// The one of them that holds the device's keys.
const KEYS: &str = "matrix-sdk-crypto.sqlite3";
/// Held while a process uses the device.
const LOCK: &str = "lock";

/// The folder of a device.
#[derive(Debug, Clone)]
pub struct Keep {
    folder: PathBuf,
}

/// One process alone uses the device while this is held.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "it is held, not read")] Flock<File>);

impl Keep {
    /// The folder; it is made when something is written.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the library's databases are.
    pub fn store(&self) -> PathBuf {
        self.folder.join(STORE)
    }

    /// Whether the device's own keys are there: without them it is none, whatever else is kept of it.
    pub fn has_keys(&self) -> bool {
        self.store().join(KEYS).exists()
    }

    /// Where the recovery key is.
    pub fn recovery_file(&self) -> PathBuf {
        self.folder.join(RECOVERY)
    }

    /// Makes the folder, and takes the lock.
    ///
    /// # Errors
    /// [`ChatError::Away`] where another process has it, or the disk does not let it.
    pub fn hold(&self) -> Result<Held, ChatError> {
        self.make().map_err(|error| self.away(&error))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.folder.join(LOCK))
            .map_err(|error| self.away(&error))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map(Held)
            .map_err(|(_, errno)| ChatError::Away {
                why: match errno {
                    nix::errno::Errno::EWOULDBLOCK => format!(
                        "another process uses the device in {}; end it first",
                        self.folder.display()
                    ),
                    other => format!("{}: {other}", self.folder.join(LOCK).display()),
                },
            })
    }

    /// The session, where there is one.
    pub fn session<T: DeserializeOwned>(&self) -> Result<Option<T>, ChatError> {
        self.read(SESSION)
    }

    /// Keeps the session.
    pub fn keep_session(&self, session: &impl Serialize) -> Result<(), ChatError> {
        self.write(SESSION, session)
    }

    /// Forgets the device: session and databases. The recovery key stays, and how far was heard: that is of the account.
    pub fn forget_device(&self) -> Result<(), ChatError> {
        gone(std::fs::remove_file(self.folder.join(SESSION))).map_err(|error| self.away(&error))?;
        gone(std::fs::remove_dir_all(self.store())).map_err(|error| self.away(&error))
    }

    /// How far it has heard.
    pub fn heard<T: DeserializeOwned>(&self) -> Result<Option<T>, ChatError> {
        self.read(HEARD)
    }

    /// Keeps how far it has heard.
    pub fn keep_heard(&self, heard: &impl Serialize) -> Result<(), ChatError> {
        self.write(HEARD, heard)
    }

    /// The recovery key, where one was written.
    pub fn recovery_key(&self) -> Result<Option<String>, ChatError> {
        let text = self.text(RECOVERY)?;
        Ok(text
            .map(|text| text.trim().to_owned())
            .filter(|key| !key.is_empty()))
    }

    /// Writes the recovery key down.
    pub fn keep_recovery_key(&self, key: &str) -> Result<(), ChatError> {
        self.replace(RECOVERY, format!("{key}\n").as_bytes())
    }

    /// Takes everybody else's rights from what the library wrote.
    pub fn close_to_others(&self) -> Result<(), ChatError> {
        for entry in std::fs::read_dir(self.store()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_file() {
                gone(std::fs::set_permissions(&path, Permissions::from_mode(0o600)))
                    .map_err(|error| self.away(&error))?;
            }
        }
        Ok(())
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        std::fs::set_permissions(&self.folder, Permissions::from_mode(0o700))
    }

    fn text(&self, name: &str) -> Result<Option<String>, ChatError> {
        let mut text = String::new();
        match File::open(self.folder.join(name)).and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.away(&error)),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ChatError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        // A file that this program did not write whole is as good as none.
        Ok(serde_json::from_str(&text).ok())
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), ChatError> {
        let text = serde_json::to_vec(value).map_err(|error| ChatError::Refused {
            why: error.to_string(),
        })?;
        self.replace(name, &text)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), ChatError> {
        self.make()
            .and_then(|()| replace(&self.folder, name, bytes))
            .map_err(|error| self.away(&error))
    }

    fn away(&self, error: &io::Error) -> ChatError {
        ChatError::Away {
            why: format!("{}: {error}", self.folder.display()),
        }
    }
}

fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.new"));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&temporary, folder.join(name))
}

/// What is not there needs no removing.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_owners_alone_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::new(folder.path().join("chat/home"));
        assert_eq!(keep.recovery_key(), Ok(None));
        keep.keep_recovery_key("EsT1 abc").unwrap();
        assert_eq!(keep.recovery_key(), Ok(Some("EsT1 abc".to_owned())));
        keep.keep_session(&vec!["token"]).unwrap();
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(keep.recovery_file()), 0o600);
        assert_eq!(mode(folder.path().join("chat/home/session.json")), 0o600);
        assert_eq!(mode(folder.path().join("chat/home")), 0o700);
        keep.forget_device().unwrap();
        assert_eq!(keep.session::<Vec<String>>(), Ok(None));
        assert!(keep.recovery_key().unwrap().is_some());
    }

    #[test]
    fn one_process_alone_uses_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::new(folder.path().to_owned());
        let held = keep.hold().unwrap();
        let other = keep.hold().unwrap_err();
        assert!(
            matches!(&other, ChatError::Away { why } if why.contains("another process")),
            "{other}"
        );
        drop(held);
        keep.hold().unwrap();
    }
}
