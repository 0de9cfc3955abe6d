//! The part of the container engine's HTTP interface that is needed, over its Unix socket: Docker's, which Podman
//! speaks too.
//!
//! Paths carry no version: both engines then answer as their newest. Deliberately absent: pulling images (a person
//! decides what runs), attaching to streams (the first process inside is handed them), engines over TCP.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::spec::{Create, LABEL};

/// How long one answer may take: starting copies the image's files with some storage drivers.
const PATIENCE: Duration = Duration::from_secs(15);
/// Milliseconds before each further try to remove a container.
const PAUSES: [u64; 4] = [50, 100, 200, 400];
/// A matter of form: the socket decides.
const HOST: &str = "http://engine";
/// How much of what a container said is told.
const LONGEST: usize = 4096;

/// Why the engine did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::sandbox) enum Fault {
    /// Nobody answers, or not as an engine does.
    #[error("the container engine does not answer at {}: {why}; start it, or set containment.container.socket", .socket.display())]
    Away {
        /// Where it was looked for.
        socket: PathBuf,
        /// What happened.
        why: String,
    },
    /// It has no such image.
    #[error("the container engine has no image '{0}'; pull or build it first")]
    NoImage(String),
    /// It says no.
    #[error("the container engine did not {what} ({status}): {message}; see its log")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// Its answer, as HTTP has it.
        status: u16,
        /// Its answer in words.
        message: String,
    },
}

/// One engine.
pub(in crate::sandbox) struct Engine {
    socket: PathBuf,
    client: Client,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    #[serde(default)]
    security_options: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: State,
}

/// How a container is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::sandbox) struct State {
    /// Whether it runs.
    #[serde(default)]
    pub(in crate::sandbox) running: bool,
    /// As what its first process ended.
    #[serde(default)]
    pub(in crate::sandbox) exit_code: i64,
    /// Whether it ran out of memory.
    #[serde(default, rename = "OOMKilled")]
    pub(in crate::sandbox) out_of_memory: bool,
}

impl Engine {
    /// The engine behind a socket; nobody is asked anything yet.
    pub(in crate::sandbox) fn new(socket: &Path) -> Result<Self, Fault> {
        let builder = Client::builder().unix_socket(socket).no_proxy().timeout(PATIENCE);
        let client = builder.build().map_err(|error| Fault::Away {
            socket: socket.to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self {
            socket: socket.to_owned(),
            client,
        })
    }

    /// Whether the engine runs without root: who is root inside is then the engine's own user outside.
    pub(in crate::sandbox) async fn is_rootless(&self) -> Result<bool, Fault> {
        let what = "tell about itself";
        let about: About = self.json(what, self.ask(Method::GET, "/info")).await?;
        let options = about.security_options.unwrap_or_default();
        Ok(options.iter().any(|option| option.contains("rootless")))
    }

    /// Whether it has the image.
    pub(in crate::sandbox) async fn has_image(&self, image: &str) -> Result<(), Fault> {
        let request = self.ask(Method::GET, &format!("/images/{image}/json"));
        match self.done("look for the image", request).await {
            Err(Fault::Refused { status: 404, .. }) => Err(Fault::NoImage(image.to_owned())),
            other => other.map(drop),
        }
    }

    /// Makes a container, and returns its id.
    pub(in crate::sandbox) async fn create(&self, wanted: &Create) -> Result<String, Fault> {
        let request = self.ask(Method::POST, "/containers/create").json(wanted);
        match self.json::<Named>("create the container", request).await {
            Err(Fault::Refused { status: 404, .. }) => Err(Fault::NoImage(wanted.image.clone())),
            other => other.map(|named| named.id),
        }
    }

    /// Starts it.
    pub(in crate::sandbox) async fn start(&self, id: &str) -> Result<(), Fault> {
        let request = self.ask(Method::POST, &format!("/containers/{id}/start"));
        self.done("start the container", request).await.map(drop)
    }

    /// How it is; none where it is not there.
    pub(in crate::sandbox) async fn state(&self, id: &str) -> Result<Option<State>, Fault> {
        let request = self.ask(Method::GET, &format!("/containers/{id}/json"));
        match self.json::<Inspected>("look at the container", request).await {
            Err(Fault::Refused { status: 404, .. }) => Ok(None),
            other => other.map(|found| Some(found.state)),
        }
    }

    /// What its first process said before it had the worker's own streams.
    pub(in crate::sandbox) async fn said(&self, id: &str) -> Result<String, Fault> {
        let path = format!("/containers/{id}/logs?stdout=1&stderr=1&tail=20");
        let answer = self.done("tell the container's log", self.ask(Method::GET, &path));
        let bytes = answer.await?.bytes().await.map_err(|error| self.away(&error))?;
        let words = String::from_utf8_lossy(&unframed(&bytes)).trim().to_owned();
        Ok(words.chars().take(LONGEST).collect())
    }

    /// Ends and removes it, and is content where it is gone already. An engine that sees it end at this very moment says
    /// no, and yes a little later.
    pub(in crate::sandbox) async fn remove(&self, id: &str) -> Result<(), Fault> {
        let path = format!("/containers/{id}?force=true&v=true");
        let mut pauses = PAUSES.iter();
        loop {
            let request = self.ask(Method::DELETE, &path);
            match (self.done("remove the container", request).await, pauses.next()) {
                (Err(Fault::Refused { status: 404, .. }), _) => return Ok(()),
                (Err(Fault::Refused { .. }), Some(&pause)) => {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                (other, _) => return other.map(drop),
            }
        }
    }

    /// The containers of an attempt, running or not.
    pub(in crate::sandbox) async fn of_attempt(&self, folder: &Path) -> Result<Vec<String>, Fault> {
        let label = format!("{LABEL}={}", folder.display());
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let wanted = [("all", "true"), ("filters", filters.as_str())];
        let at = Url::parse_with_params(&format!("{HOST}/containers/json"), wanted);
        let at = at.map_err(|error| self.away(&error))?;
        let request = self.client.get(at);
        let found: Vec<Named> = self.json("list containers", request).await?;
        Ok(found.into_iter().map(|named| named.id).collect())
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{HOST}{path}"))
    }

    async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<T, Fault> {
        let answer = self.done(what, request).await?;
        answer.json().await.map_err(|error| self.away(&error))
    }

    async fn done(&self, what: &'static str, request: RequestBuilder) -> Result<reqwest::Response, Fault> {
        let answer = request.send().await.map_err(|error| self.away(&error))?;
        let status = answer.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let message = serde_json::from_str(&text).map_or(text, |said: Message| said.message);
        Err(Fault::Refused {
            what,
            status: status.as_u16(),
            message: message.trim().to_owned(),
        })
    }

    fn away(&self, error: &dyn std::error::Error) -> Fault {
        let mut deepest = error;
        while let Some(cause) = deepest.source() {
            deepest = cause;
        }
        Fault::Away {
            socket: self.socket.clone(),
            why: deepest.to_string(),
        }
    }
}

/// The log without the eight bytes that stand before each piece: which stream, and how long.
fn unframed(mut bytes: &[u8]) -> Vec<u8> {
    let mut words = Vec::new();
    while let [0..=2, 0, 0, 0, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (piece, next) = rest.split_at(length.min(rest.len()));
        words.extend_from_slice(piece);
        bytes = next;
    }
    words.extend_from_slice(bytes);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_with_frames_and_without() {
        assert_eq!(
            unframed(b"\x02\0\0\0\0\0\0\x03one\x01\0\0\0\0\0\0\x04 two"),
            b"one two"
        );
        assert_eq!(unframed(b"plain"), b"plain");
        assert_eq!(unframed(b"\x02\0\0\0\xff\xff\xff\xffcut"), b"cut");
        assert_eq!(unframed(b""), b"");
    }
}
