//! Files that the task hands to the worker: pictures go by a flag, the others are named in the prompt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a model can look at.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "gif", "webp"];

/// The flags that hand the pictures over.
pub(super) fn flags(files: &[PathBuf]) -> impl Iterator<Item = OsString> {
    files.iter().filter(|file| goes_by_flag(file)).map(|file| {
        let mut flag = OsString::from("--image=");
        flag.push(file);
        flag
    })
}

/// The prompt, with the names of the files that no flag hands over.
pub(super) fn prompt(prompt: &str, files: &[PathBuf]) -> String {
    let named: String = files
        .iter()
        .filter(|file| !goes_by_flag(file))
        .map(|file| format!("- {}\n", file.display()))
        .collect();
    if named.is_empty() {
        return prompt.to_owned();
    }
    format!("{prompt}\n\nFiles that belong to the task; read them where they lie:\n\n{named}")
}

fn goes_by_flag(file: &Path) -> bool {
    let picture = file
        .extension()
        .is_some_and(|end| PICTURES.iter().any(|known| end.eq_ignore_ascii_case(known)));
    // The flag takes a list, parted by commas.
    picture && !file.as_os_str().as_encoded_bytes().contains(&b',')
}
