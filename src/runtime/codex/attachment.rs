//! Files that the task hands to the worker: pictures go by a flag, the others are read where the prompt says that they lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::runtime::Brief;

/// What a model can look at.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "gif", "webp"];

/// The flags that hand the pictures over; a thread that goes on has seen them already.
pub(super) fn flags(brief: &Brief) -> impl Iterator<Item = OsString> {
    let fresh = brief.session.is_none();
    let shown = move |file: &&PathBuf| fresh && goes_by_flag(file);
    brief.attachments.iter().filter(shown).map(|file| {
        let mut flag = OsString::from("--image=");
        flag.push(file);
        flag
    })
}

fn goes_by_flag(file: &Path) -> bool {
    let picture = file
        .extension()
        .is_some_and(|end| PICTURES.iter().any(|known| end.eq_ignore_ascii_case(known)));
    // The flag takes a list, parted by commas.
    picture && !file.as_os_str().as_encoded_bytes().contains(&b',')
}
