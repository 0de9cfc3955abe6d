//! Files, both ways.

use serde::Deserialize;
use slack_morphism::api::{SlackApiFilesComplete, SlackApiFilesCompleteUploadExternalRequest};
use slack_morphism::{SlackChannelId, SlackFileId, SlackTs};

use super::Slack;
use super::api::Done;
use super::method::Method;
use crate::chat::ChatError;
use crate::chat::heard::Attached;
use crate::chat::message::Place;

/// The longest name that is sent, in characters.
const NAME: usize = 200;

/// Where a file is to be put.
#[derive(Deserialize)]
struct Ticket {
    upload_url: String,
    file_id: String,
}

impl Slack {
    pub(super) async fn download(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError> {
        let (kind, bytes) = self.api.fetch(&file.handle, most).await?;
        let page = kind.is_some_and(|kind| kind.starts_with("text/html"));
        let name = file.name.to_ascii_lowercase();
        // To a token that may not read files, Slack shows its page for logging in, with success.
        if page && ![".html", ".htm"].iter().any(|end| name.ends_with(end)) {
            let why = "Slack showed a page instead of the file; does the app have the scope files:read?";
            return Err(ChatError::Refused { why: why.to_owned() });
        }
        Ok(bytes)
    }

    /// In three steps: an address, the bytes, and the place where it is shown.
    pub(super) async fn share(&self, to: &Place, name: &str, bytes: Vec<u8>) -> Result<(), ChatError> {
        let name = plain_name(name);
        let length = bytes.len().to_string();
        let query = [("filename", name.as_str()), ("length", length.as_str())];
        let ticket: Ticket = self.api.ask(Method::UploadUrl, &query).await?;
        let kind = "application/octet-stream";
        self.api.send(&ticket.upload_url, kind, bytes).await?;
        let file = SlackApiFilesComplete::new(SlackFileId(ticket.file_id)).with_title(name);
        let mut request = SlackApiFilesCompleteUploadExternalRequest::new(vec![file])
            .with_channel_id(SlackChannelId(to.room.clone()));
        request.thread_ts = to.thread.clone().map(SlackTs);
        let Done {} = self.api.tell(Method::CompleteUpload, &request).await?;
        Ok(())
    }
}

/// Without folders and control characters.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(NAME).collect();
    match kept.trim() {
        "" => "file".to_owned(),
        kept => kept.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (given, sent) in [
            ("report.txt", "report.txt"),
            ("../../etc/passwd", "passwd"),
            ("a\\b.txt", "b.txt"),
            ("a\nb", "ab"),
            ("x/", "file"),
        ] {
            assert_eq!(plain_name(given), sent);
        }
    }
}
