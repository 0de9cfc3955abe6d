//! Files that come with what people say, and files that go with a finished task.
//!
//! Invariants: a name from outside names a file in a folder of its own and nothing else; both ways have limits of number and
//! size, and what they leave out is said.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Open;
use super::post::thread;
use crate::chat::Chat;
use crate::chat::heard::Attached;
use crate::chat::parcel::Item;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::service::operations;
use crate::store::CardRow;

/// The largest file that is taken, in bytes.
const LONGEST: u64 = 25 << 20;
/// The most files of one message.
const MOST: usize = 10;
/// The largest file that is offered, in bytes.
const OFFERED: u64 = 8 << 20;
/// The most files that are offered of one task.
const OFFERS: usize = 5;

/// What became of the files of a message.
pub(super) struct Taken {
    /// Where they lie.
    pub(super) paths: Vec<String>,
    /// What was left out, and why, a sentence each.
    pub(super) left_out: Vec<String>,
}

impl Open {
    /// Fetches the files of an event into a folder of that event's own.
    pub(super) async fn take_files(
        &self,
        chat: &dyn Chat,
        task: &TaskId,
        event: &str,
        files: &[Attached],
    ) -> Taken {
        let mut taken = Taken {
            paths: Vec::new(),
            left_out: Vec::new(),
        };
        let digest = Sha256::digest(event);
        let folder: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = self.instance.layout.given(task).join(folder);
        for (place, file) in files.iter().enumerate() {
            let name = sanitised(&file.name, place);
            if place >= MOST || file.bytes.is_some_and(|bytes| bytes > LONGEST) {
                let why = format!(
                    "{name} is left out: at most {MOST} files of {} MB each",
                    LONGEST >> 20
                );
                taken.left_out.push(why);
                continue;
            }
            let kept = match chat.fetch(file, LONGEST).await {
                Ok(bytes) => keep(&folder, &name, &bytes).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match kept {
                Ok(path) => taken.paths.push(path.display().to_string()),
                Err(why) => taken.left_out.push(format!("{name} is left out: {why}")),
            }
        }
        taken
    }

    /// Offers the evidence that the gate kept, in the thread of the task.
    pub(super) async fn offer_files(&self, chat: &dyn Chat, row: &CardRow, task: &Task, item: &Item) {
        let Ok(Some(evidence)) = operations::evidence(&self.instance, &task.id).await else {
            return;
        };
        let files = evidence.evidence.iter().flat_map(|exhibit| &exhibit.files);
        let files = files.filter(|file| file.bytes <= OFFERED).take(OFFERS);
        for (place, file) in files.enumerate() {
            let Some(stored) = &file.stored else {
                continue;
            };
            let Ok(bytes) = std::fs::read(stored) else {
                continue;
            };
            let key = format!("{}:file:{place}", item.key);
            let name = sanitised(&file.path, place);
            if let Err(error) = chat.upload(&thread(row), &name, bytes, &key).await {
                tracing::warn!(surface = %self.surface, task = %task.id, %error, "a file was not offered");
            }
        }
    }
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    crate::files::atomic::write(&path, bytes).map_err(std::io::Error::other)?;
    Ok(path)
}

/// The last part of a name, of letters, digits, `.`, `-` and `_`; never hidden, never empty, never long.
fn sanitised(name: &str, place: usize) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let plain = plain.trim_start_matches('.');
    let skip = plain.chars().count().saturating_sub(100);
    let short: String = plain.chars().skip(skip).collect();
    match short.trim_matches(['.', '_', '-']).is_empty() {
        true => format!("file-{}", place + 1),
        false => short.trim_start_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_names_nothing_but_a_file() {
        let rows = [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\a\\x.png", "x.png"),
            ("..", "file-1"),
            (".bashrc", "bashrc"),
            ("", "file-1"),
            ("a b\u{202e}\n.txt", "a_b__.txt"),
            ("naïve.md", "naïve.md"),
        ];
        for (name, wanted) in rows {
            assert_eq!(sanitised(name, 0), wanted, "{name:?}");
        }
        let long = format!("{}.tar.gz", "x".repeat(400));
        assert!(sanitised(&long, 0).ends_with(".tar.gz") && sanitised(&long, 0).len() <= 100);
    }
}
