//! Cleaning what a worker wrote of secrets, once nobody writes it any more.
//!
//! While a worker runs its output is on disk as it comes (for its owner alone: readers need every byte of a protocol);
//! whoever shows it cleans it. Afterwards the file itself is cleaned: a transcript outlives its attempt.
//! Invariant: the file is the old one or the clean one, never a part.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::format::redact::Redactor;

/// Bytes that are read at a time.
const CHUNK: usize = 256 * 1024;

/// Takes the secrets out of a file; answers whether there were any. A file that is not there has none.
pub fn scrub(path: &Path, redactor: &Redactor) -> io::Result<bool> {
    let Some(file) = open(path)? else {
        return Ok(false);
    };
    if !clean(file, redactor, &mut io::sink())? {
        return Ok(false);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".clean");
    let draft = path.with_file_name(name);
    // What lies there under that name is not ours: it may be a link.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let out = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    let mut out = BufWriter::new(out);
    if let Some(file) = open(path)? {
        clean(file, redactor, &mut out)?;
    }
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_data()?;
    std::fs::rename(draft, path)?;
    Ok(true)
}

fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    match opened {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies without secrets; answers whether there were any.
fn clean(mut from: File, redactor: &Redactor, to: &mut impl Write) -> io::Result<bool> {
    let mut stream = redactor.stream();
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => to.write_all(&stream.push(&chunk[..n]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (rest, any) = stream.finish();
    to.write_all(&rest)?;
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_go_wherever_the_chunks_fall_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout.log");
        let redactor = Redactor::new(["secret-token"]);
        let filler = "x".repeat(CHUNK - 6);
        std::fs::write(&path, format!("{filler}secret-token\nend\n")).unwrap();
        assert!(scrub(&path, &redactor).unwrap());
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{filler}[redacted]\nend\n")
        );
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!scrub(&path, &redactor).unwrap(), "there is nothing left");
        assert!(!scrub(&dir.path().join("none"), &redactor).unwrap());
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "secret-token").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(scrub(&link, &Redactor::new(["secret-token"])).is_err());
        assert_eq!(std::fs::read_to_string(target).unwrap(), "secret-token");
    }
}
