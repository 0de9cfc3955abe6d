//! Files that go with a task, as models take them: pictures as base64, anything else by its path.
//!
//! Deliberately absent: where the files come from (the service finds and copies them), and telling a worker their
//! paths (the prompt does).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The longest picture that is shown, in bytes; the Messages API takes no longer ones.
pub const LONGEST_PICTURE: u64 = 5 << 20;

/// A picture that a model can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub media_type: &'static str,
    /// Its bytes, in base64.
    pub base64: String,
}

/// A picture that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is too long.
    #[error(
        "the picture {path} has {bytes} bytes, more than the {LONGEST_PICTURE} that a model is shown; make it smaller"
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// It cannot be read.
    #[error("the attachment {path} cannot be read: {source}; check that it is there and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Picture {
    /// Reads a file; `None` where it is no picture of a known kind. Its first bytes tell, not its name.
    pub fn read(path: &Path) -> Result<Option<Self>, PictureError> {
        let unreadable = |source| PictureError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(LONGEST_PICTURE + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let Some(media_type) = media_type(&bytes) else {
            return Ok(None);
        };
        if bytes.len() as u64 > LONGEST_PICTURE {
            return Err(PictureError::TooLong {
                path: path.to_owned(),
                bytes: meta.len(),
            });
        }
        Ok(Some(Self {
            media_type,
            base64: STANDARD.encode(bytes),
        }))
    }

    /// The picture as a content block of the Messages protocol.
    pub fn to_block(&self) -> Value {
        let source = json!({"type": "base64", "media_type": self.media_type, "data": self.base64});
        json!({"type": "image", "source": source})
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, wanted) in [
            ("a.txt", &b"\x89PNG\r\n\x1a\nrest"[..], Some("image/png")),
            ("b", b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            ("c", b"GIF89a...", Some("image/gif")),
            ("d", b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("image/webp")),
            ("e.png", b"no picture", None),
            ("f", b"", None),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let read = Picture::read(&path).unwrap();
            assert_eq!(read.as_ref().map(|p| p.media_type), wanted, "{name}");
            let back = read.map(|p| STANDARD.decode(p.base64).unwrap());
            assert_eq!(back.as_deref(), wanted.map(|_| bytes));
        }
        assert_eq!(Picture::read(folder.path()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_shown_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.png");
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize(usize::try_from(LONGEST_PICTURE).unwrap(), 0);
        std::fs::write(&path, &bytes).unwrap();
        assert!(Picture::read(&path).unwrap().is_some());
        bytes.push(0);
        std::fs::write(&path, &bytes).unwrap();
        let told = Picture::read(&path).unwrap_err().to_string();
        assert!(told.contains("large.png") && told.contains("5242881"), "{told}");
        let gone = Picture::read(&folder.path().join("gone.png"))
            .unwrap_err()
            .to_string();
        assert!(gone.contains("cannot be read"), "{gone}");
    }
}
