//! Files: fetched within a limit, put up encrypted where the room is.
//!
//! Invariants: no more than the limit is ever read, whatever the server or the sender says of the length; what was encrypted
//! is checked against its hash before it is handed out; names are the sender's and are not used here.

use std::io::Read;

use futures_util::StreamExt;
use matrix_sdk::attachment::AttachmentConfig;
use matrix_sdk::room::reply::{EnforceThread, Reply};
use matrix_sdk::ruma::events::room::MediaSource;
use matrix_sdk::ruma::events::room::message::{AddMentions, ReplyWithinThread};
use matrix_sdk::ruma::{EventId, MxcUri};
use matrix_sdk_base::crypto::AttachmentDecryptor;

use super::fault;
use super::session::Session;
use crate::chat::ChatError;
use crate::chat::heard::Attached;
use crate::chat::message::Place;

impl Session {
    pub async fn fetch(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError> {
        if file.bytes.is_some_and(|bytes| bytes > most) {
            return Err(too_long(most));
        }
        let source: MediaSource = serde_json::from_str(&file.handle).map_err(|_| ChatError::Refused {
            why: "this is no file of Matrix".to_owned(),
        })?;
        match source {
            MediaSource::Plain(uri) => self.download(&uri, most).await,
            MediaSource::Encrypted(file) => {
                let bytes = self.download(&file.url, most).await?;
                decrypted(&bytes, *file)
            }
        }
    }

    pub async fn upload(&self, to: &Place, name: &str, bytes: Vec<u8>, key: &str) -> Result<(), ChatError> {
        let room = self.room(&to.room)?;
        let mut config = AttachmentConfig::new().txn_id(Self::transaction(key));
        if let Some(root) = to.thread.as_deref().and_then(|root| EventId::parse(root).ok()) {
            config = config.reply(Some(Reply {
                event_id: root,
                enforce_thread: EnforceThread::Threaded(ReplyWithinThread::No),
                add_mentions: AddMentions::No,
            }));
        }
        let kind = kind(name).parse().map_err(|_| ChatError::Refused {
            why: format!("'{}' has no kind", name.escape_debug()),
        })?;
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let sent = room.send_attachment(name, &kind, bytes, config).await;
        sent.map(drop)
            .map_err(|error| fault::of("sending a file", &error))
    }

    async fn download(&self, uri: &MxcUri, most: u64) -> Result<Vec<u8>, ChatError> {
        let (server, media) = uri.parts().map_err(|error| ChatError::Refused {
            why: format!("this is no address of a file: {error}"),
        })?;
        let what = "fetching a file";
        let mut url = self.client.homeserver();
        url.set_path(&format!("/_matrix/client/v1/media/download/{server}/{media}"));
        let mut request = self.client.http_client().get(url).timeout(self.settings.timeout);
        if let Some(token) = self.client.access_token() {
            request = request.bearer_auth(token);
        }
        let cannot = |error: reqwest::Error| fault::away(what, &error.without_url().to_string());
        let answer = request.send().await.map_err(cannot)?;
        match answer.status().as_u16() {
            200 => {}
            404 => {
                return Err(ChatError::Gone {
                    what: "the file".to_owned(),
                });
            }
            status @ (408 | 429 | 500..) => {
                return Err(fault::away(what, &format!("the server answered {status}")));
            }
            status => {
                let why = format!("{what}: the server answered {status}");
                return Err(ChatError::Refused { why });
            }
        }
        let mut bytes = Vec::new();
        let mut stream = answer.bytes_stream();
        while let Some(part) = stream.next().await {
            bytes.extend_from_slice(&part.map_err(cannot)?);
            if bytes.len() as u64 > most {
                return Err(too_long(most));
            }
        }
        Ok(bytes)
    }
}

fn decrypted(
    bytes: &[u8],
    file: matrix_sdk::ruma::events::room::EncryptedFile,
) -> Result<Vec<u8>, ChatError> {
    let cannot = |why: String| ChatError::Refused {
        why: format!("the file cannot be decrypted: {why}"),
    };
    let mut source = bytes;
    let mut plain = Vec::with_capacity(bytes.len());
    let mut reader =
        AttachmentDecryptor::new(&mut source, file.into()).map_err(|error| cannot(error.to_string()))?;
    // The hash is compared at the end: an error then means that none of it counts.
    reader
        .read_to_end(&mut plain)
        .map_err(|error| cannot(error.to_string()))?;
    Ok(plain)
}

fn too_long(most: u64) -> ChatError {
    ChatError::Refused {
        why: format!("the file is longer than {most} bytes"),
    }
}

/// What clients show at once, and what they offer to save.
fn kind(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("txt" | "log" | "md" | "diff" | "patch") => "text/plain",
        Some("json") => "application/json",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_one() {
        for name in ["a.PNG", "b.log", "c", "d.tar.gz", "..", ".html"] {
            let kind = kind(name);
            assert!(kind.contains('/') && kind != "text/html", "{name}: {kind}");
        }
    }
}
