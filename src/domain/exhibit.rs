//! Evidence that people can look at: what a job or task asks for, and what the gate kept of it.
//!
//! Invariants: patterns stay within the folder of the work; what is kept is bounded. Deliberately absent: running the
//! command, reading and keeping the files.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::gate::CheckSource;

/// The largest file that is kept, in bytes.
pub const LARGEST: u64 = 10 * 1024 * 1024;
/// All that one run of the gate keeps, in bytes.
pub const TOGETHER: u64 = 50 * 1024 * 1024;
/// So many files one run of the gate keeps.
pub const MOST: usize = 50;

/// One piece of evidence that is asked for: a command, files, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExhibitSpec {
    /// Its name.
    pub name: String,
    /// The command that makes it, run in the gate's checkout after the checks; without one, checks make it.
    pub run: Option<String>,
    /// The files to keep; where there are none, what the command says is kept.
    pub files: Vec<FilePattern>,
    /// The most time the command may take; the gate's default where absent.
    pub timeout: Option<Duration>,
    /// Who asked for it.
    pub source: CheckSource,
}

/// A file that the gate kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// Its path from the folder of the work.
    pub path: String,
    /// Its size as it is kept, in bytes.
    pub bytes: u64,
    /// Its media type, by its beginning, else by its name.
    pub kind: String,
    /// SHA-256 of what is kept, in hex.
    pub sha256: String,
    /// Whether the worker committed it; else a command of the gate made it.
    pub committed: bool,
    /// Whether secrets were taken out.
    pub redacted: bool,
}

impl fmt::Display for Exhibit {
    /// `shots/home.png (image/png, 1234 bytes, sha256 …)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, bytes, kind, ..
        } = self;
        let origin = if self.committed {
            "; committed by the worker"
        } else {
            ""
        };
        let redacted = if self.redacted { "; without secrets" } else { "" };
        let path = path.escape_debug();
        write!(
            f,
            "{path} ({kind}, {bytes} bytes, sha256 {}{origin}{redacted})",
            self.sha256
        )
    }
}

/// A name as one component of a path.
pub fn slug(name: &str) -> String {
    let parts = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    let slug = parts.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() {
        "output".to_owned()
    } else {
        slug
    }
}

/// A pattern of paths below the folder of the work: `*` and `?` within a name, `**` for folders, a `/` at the end for
/// everything below.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no pattern of files: write a path below the folder of the work, such as shots/*.png")]
pub struct BadPattern(String);

impl TryFrom<String> for FilePattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::parse(&text)
    }
}

impl From<FilePattern> for String {
    fn from(pattern: FilePattern) -> Self {
        pattern.0
    }
}

impl FilePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let plain = text.trim();
        let plain = plain.strip_prefix("./").unwrap_or(plain);
        let whole = match plain.strip_suffix('/') {
            Some(folder) => format!("{folder}/**"),
            None => plain.to_owned(),
        };
        let parts_hold = whole
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && part != ".git");
        let fits = parts_hold && whole.len() <= 512 && !whole.chars().any(char::is_control);
        if fits {
            Ok(Self(whole))
        } else {
            Err(BadPattern(text.chars().take(60).collect()))
        }
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a path (with `/`) is meant.
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        reach(&pattern, &path, true)
    }

    /// Whether something below a folder can be meant.
    pub fn reaches_into(&self, folder: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let folder: Vec<&str> = folder.split('/').collect();
        reach(&pattern, &folder, false)
    }
}

/// Walks pattern and path together; `whole` where both must end at once, else the path may end within the pattern.
fn reach(pattern: &[&str], path: &[&str], whole: bool) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => whole,
        (Some(_), None) => !whole || pattern.iter().all(|part| *part == "**") && !path.is_empty(),
        (None, Some(_)) => false,
        (Some((&"**", rest)), Some((_, deeper))) => {
            reach(rest, path, whole) || reach(pattern, deeper, whole) || (rest.is_empty() && whole)
        }
        (Some((part, rest)), Some((name, deeper))) => is_like(part, name) && reach(rest, deeper, whole),
    }
}

/// Whether a name is meant by a part of a pattern. The last `*` alone is ever taken back, so it takes no longer than
/// the product of both lengths.
fn is_like(part: &str, name: &str) -> bool {
    let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if part.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if part.get(p).is_some_and(|c| *c == '?' || *c == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    part[p..].iter().all(|c| *c == '*')
}

/// The media type of a file, by its first bytes, else by its name.
pub fn kind_of(path: &str, bytes: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 8] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"OggS", "audio/ogg"),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return kind;
    }
    if bytes.get(..4) == Some(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return "image/webp";
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return "video/mp4";
    }
    if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        return "application/octet-stream";
    }
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "svg" => "image/svg+xml",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "xml" => "application/xml",
        _ => "text/plain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> FilePattern {
        FilePattern::parse(text).unwrap()
    }

    #[test]
    fn patterns_mean_what_people_expect() {
        for (text, path, means) in [
            ("shots/*.png", "shots/a.png", true),
            ("./shots/*.png", "shots/a.png", true),
            ("shots/*.png", "shots/a.jpg", false),
            ("shots/*.png", "shots/b/a.png", false),
            ("shots/**/*.png", "shots/a.png", true),
            ("shots/**/*.png", "shots/b/c/a.png", true),
            ("**/*.png", "a.png", true),
            ("report/", "report/a/b.html", true),
            ("report/", "report", false),
            ("report/**", "report/a", true),
            ("a?c.txt", "abc.txt", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("*", "a/b", false),
            ("coverage/summary.txt", "coverage/summary.txt", true),
            ("[a]", "[a]", true),
        ] {
            assert_eq!(pattern(text).matches(path), means, "{text} {path}");
        }
        for (text, folder, reaches) in [
            ("shots/*.png", "shots", true),
            ("shots/*.png", "shots/b", false),
            ("shots/*.png", "src", false),
            ("shots/**/*.png", "shots/b/c", true),
            ("**/*.png", "any/where", true),
            ("a.txt", "a", false),
        ] {
            assert_eq!(pattern(text).reaches_into(folder), reaches, "{text} {folder}");
        }
    }

    #[test]
    fn no_pattern_leaves_the_folder() {
        for text in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            ".git/config",
            "a/./b",
            "a\nb",
            "/",
        ] {
            assert!(FilePattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_type_is_by_content_before_name() {
        for (path, bytes, kind) in [
            ("a.txt", b"\x89PNG\r\n\x1a\nrest".as_slice(), "image/png"),
            ("a.png", b"no picture", "text/plain"),
            ("a.json", b"{}", "application/json"),
            ("a.bin", b"\0\x01", "application/octet-stream"),
            ("a", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            ("r.HTML", b"<p>", "text/html"),
        ] {
            assert_eq!(kind_of(path, bytes), kind, "{path}");
        }
    }

    #[test]
    fn a_slug_is_one_safe_component() {
        for (name, wanted) in [
            ("Home page", "home-page"),
            ("../x", "x"),
            ("…", "output"),
            ("shots/*.png", "shots-png"),
        ] {
            assert_eq!(slug(name), wanted);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_ends(text in "[a*?/.]{1,24}", path in "[a/.]{1,40}") {
            if let Ok(pattern) = FilePattern::parse(&text) {
                let _ = pattern.matches(&path);
                proptest::prop_assert!(!pattern.as_str().starts_with('/'));
            }
        }

        #[test]
        fn a_plain_path_means_itself(path in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let own = pattern(&path);
            proptest::prop_assert!(own.matches(&path));
            let below = format!("{path}/x");
            proptest::prop_assert!(!own.matches(&below));
            if let Some((folder, _)) = path.rsplit_once('/') {
                proptest::prop_assert!(own.reaches_into(folder));
            }
        }
    }
}
