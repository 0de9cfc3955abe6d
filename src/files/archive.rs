//! archive/: sections of finished tasks that no longer fit in the queue file, a file a month.

use std::path::Path;

use super::error::FileError;
use super::exchange::{Shared, Updated};
use super::heartbeats::make_folder;
use super::identity::Links;

/// Largest archive of a month, in bytes.
pub const LIMIT: u64 = 256 << 20;

/// Appends `section` to the archive of `month` (`2026-02`) in `folder`. A section that is there already, byte for byte, is
/// not appended again, so that the effect can be repeated after a crash.
pub fn append(folder: &Path, month: &str, section: &[u8]) -> Result<Updated, FileError> {
    make_folder(folder)?;
    let path = folder.join(format!("{month}.md"));
    let shared = Shared {
        path: &path,
        limit: LIMIT,
        links: Links::Follow,
    };
    shared.update(|before| appended(before.unwrap_or_default(), section))
}

/// The archive with `section` at its end; none where it is there already.
pub fn appended(before: &[u8], section: &[u8]) -> Option<Vec<u8>> {
    if section.is_empty() || contains(before, section) {
        return None;
    }
    let mut after = before.to_vec();
    if !after.is_empty() && !after.ends_with(b"\n") {
        after.push(b'\n');
    }
    after.extend_from_slice(section);
    Some(after)
}

/// Whether `section` stands in `before` at the beginning of a line.
fn contains(before: &[u8], section: &[u8]) -> bool {
    let mut rest = before;
    loop {
        if rest.starts_with(section) {
            return true;
        }
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => rest = &rest[end + 1..],
            None => return false,
        }
    }
}
