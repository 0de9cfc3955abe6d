//! The progress file on its way from node to node: a copy is kept in the store while an attempt runs, and the node that goes on
//! begins with it.

use std::time::{Duration, SystemTime};

use super::Drive;
use crate::clock::since_boot;
use crate::store::Copied;

/// The most of a progress file that is kept, in bytes; the newest entries stand at its end.
const LONGEST: usize = 1024 * 1024;
/// Between two copies.
const PAUSE: Duration = Duration::from_secs(5);

/// What was last kept of a progress file.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// When, since boot.
    at: Option<Duration>,
    /// The file's own time then.
    changed: Option<SystemTime>,
}

impl Drive<'_> {
    /// Takes up what another node wrote last. Without it the work goes on all the same, with less to go by.
    pub(super) async fn take_over_progress(&self) {
        let Some(member) = &self.instance.member else {
            return;
        };
        let kept = match member.roster().kept_progress(self.task.id.as_str()).await {
            Ok(kept) => kept.filter(|copy| copy.node != *member.name()),
            Err(error) => {
                tracing::warn!(task = %self.task.id, %error, "what another node wrote of its progress cannot be had");
                None
            }
        };
        let Some(copy) = kept else { return };
        if let Err(error) = self.instance.files.log(&self.task.id, |_ours| copy.text.clone()) {
            tracing::warn!(task = %self.task.id, %error, "what another node wrote of its progress is not taken over");
        }
    }

    /// Keeps a copy where the file has changed, and not for every line of it.
    pub(super) async fn keep_progress_now_and_then(&self, kept: &mut Kept) {
        let now = since_boot();
        if self.instance.member.is_none() || kept.at.is_some_and(|at| now < at + PAUSE) {
            return;
        }
        let path = self.instance.layout.progress_of(&self.task.id);
        let changed = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        if changed != kept.changed {
            (kept.at, kept.changed) = (Some(now), changed);
            self.keep_progress().await;
        }
    }

    /// Keeps a copy of the progress file as it is now.
    pub(super) async fn keep_progress(&self) {
        let Some(member) = &self.instance.member else {
            return;
        };
        let Some(text) = self
            .instance
            .files
            .progress_text(&self.task.id)
            .filter(|text| text.len() <= LONGEST)
        else {
            return;
        };
        let copy = Copied {
            epoch: self.attempt.epoch,
            node: member.name().clone(),
            at: self.instance.clock.now(),
            text: self.redactor.redact(&text).into_owned(),
        };
        if let Err(error) = member.roster().keep_progress(self.task.id.as_str(), &copy).await {
            tracing::warn!(task = %self.task.id, %error, "no copy of its progress is kept for other nodes");
        }
    }
}
