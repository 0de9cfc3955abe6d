//! The bearer token of an attempt: derived from the instance's own key, so that nobody has to keep it.
//!
//! Invariants: a token is 128 bits that only a holder of the key can tell; the same attempt has the same token after a
//! restart, so its output is cleaned of it and its requests are known; on disk there is the key (for its owner alone)
//! and, in the attempt's folder, a digest. Deliberately absent: expiry; an attempt that has ended is refused by its epoch.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::id::TaskId;

/// Bytes of a token.
const TOKEN: usize = 16;
/// Bytes of the key.
const KEY: usize = 32;

/// Makes the tokens of an instance.
#[derive(Debug, Clone)]
pub struct Tokens {
    key: PathBuf,
}

impl Tokens {
    /// With the key in this file, which is made when it is first needed.
    pub fn new(key: PathBuf) -> Self {
        Self { key }
    }

    /// The token of the attempt of a task with this fencing number that was claimed then, in hex.
    pub fn of(&self, task: &TaskId, epoch: u64, claimed_at: DateTime<Utc>) -> io::Result<String> {
        let key = self.key()?;
        let name = format!("attempt\0{task}\0{epoch}\0{}", claimed_at.timestamp_micros());
        // Twice, as HMAC does it, so that nobody can go on from a digest that they have seen.
        let inner = digest(&[&key, name.as_bytes()]);
        Ok(hex(&digest(&[&key, &inner])[..TOKEN]))
    }

    /// A name of the instance that no other has, for whoever shares a database with it. It tells nothing of the key.
    pub fn name_of_instance(&self) -> io::Result<String> {
        let key = self.key()?;
        Ok(hex(&digest(&[b"instance\0", &key])[..TOKEN / 2]))
    }

    fn key(&self) -> io::Result<Vec<u8>> {
        let key = match std::fs::read(&self.key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make()?;
                std::fs::read(&self.key)?
            }
            read => read?,
        };
        if key.len() == KEY {
            return Ok(key);
        }
        let what = format!("{} is damaged; remove it while nothing runs", self.key.display());
        Err(io::Error::other(what))
    }

    /// Whole or not at all; of two that make it at one time, the first wins.
    fn make(&self) -> io::Result<()> {
        let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        let name = format!(".key-{}", uuid::Uuid::new_v4().simple());
        let draft = self.key.with_file_name(name);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&digest(&[random[0].as_bytes(), random[1].as_bytes()]))?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&draft, &self.key);
        std::fs::remove_file(draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    }
}

/// What is kept of a token where it must be known again.
pub fn fingerprint(token: &str) -> String {
    hex(&digest(&[b"token\0", token.as_bytes()]))
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn each_attempt_has_its_own_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let (a, b) = (TaskId::parse("a").unwrap(), TaskId::parse("b").unwrap());
        let token = |task: &TaskId, epoch, second| {
            let claimed_at = DateTime::from_timestamp(second, 0).unwrap();
            Tokens::new(path.clone()).of(task, epoch, claimed_at).unwrap()
        };
        let first = token(&a, 1, 0);
        assert_eq!((first.len(), &first), (32, &token(&a, 1, 0)));
        let others = [token(&b, 1, 0), token(&a, 2, 0), token(&a, 1, 1)];
        assert!(others.iter().all(|other| *other != first));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(fingerprint(&first), first);
    }

    #[test]
    fn whoever_comes_first_makes_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(dir.path().join("key"));
        let made = std::thread::scope(|scope| {
            let of = || {
                tokens
                    .of(&TaskId::parse("a").unwrap(), 1, DateTime::UNIX_EPOCH)
                    .unwrap()
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(of)).collect();
            let mut all: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
            all.dedup();
            all
        });
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_no_weak_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "short").unwrap();
        let made = Tokens::new(path).of(&TaskId::parse("a").unwrap(), 1, DateTime::UNIX_EPOCH);
        assert!(made.unwrap_err().to_string().contains("is damaged"));
    }
}
