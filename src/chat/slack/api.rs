//! HTTP to Slack: calls of the Web API, bytes of files, and answers by their meaning.
//!
//! Invariants: a call takes a bounded time and its answer a bounded space; redirects are not followed; a token travels to
//! the API's own host and to Slack's files alone; no error holds a token or an address.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, UNSAID};
use super::method::Method;
use crate::config::section::Slack as Settings;

/// More than any answer of the API holds.
const LONGEST: u64 = 8 * 1024 * 1024;

/// The Web API of a workspace, as one app sees it.
pub(super) struct Api {
    http: Client,
    root: Url,
    bot: SecretString,
    app: Option<SecretString>,
}

/// What every answer says.
#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    needed: Option<String>,
}

/// An answer of which no more is asked than that it was done.
#[derive(Deserialize)]
pub(super) struct Done {}

impl Api {
    /// The API that the configuration names, answering within `patience`.
    ///
    /// # Errors
    /// A sentence, where a secret is missing or empty, or the address is none that a token may travel to.
    pub(super) fn new(settings: &Settings, patience: Duration) -> Result<Self, String> {
        let root = root(&settings.api)?;
        let http = client(&root).timeout(patience).build();
        let app = settings.app_token.as_ref().map(|app| needed("app_token", app));
        Ok(Self {
            http: http.map_err(|fault| format!("no HTTP client: {fault}"))?,
            root,
            bot: needed("bot_token", &settings.bot_token)?,
            app: app.transpose()?,
        })
    }

    /// Whether there is a token for Socket Mode.
    pub(super) fn has_socket(&self) -> bool {
        self.app.is_some()
    }

    /// Reads: the arguments stand in the address, as the methods that read take them.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        query: &[(&str, &str)],
    ) -> Result<T, Fault> {
        let mut url = self.address(method);
        url.query_pairs_mut().extend_pairs(query);
        self.answer(method, self.http.get(url)).await
    }

    /// Changes something: the arguments are JSON.
    pub(super) async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        body: &impl Serialize,
    ) -> Result<T, Fault> {
        let body = serde_json::to_vec(body).map_err(|fault| Fault::Refused(fault.to_string()))?;
        let request = self.http.post(self.address(method)).body(body);
        let request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
        self.answer(method, request).await
    }

    /// Where the socket is, as an address of its own that is good once.
    pub(super) async fn socket(&self) -> Result<Url, Fault> {
        #[derive(Deserialize)]
        struct Opened {
            url: String,
        }
        let method = Method::ConnectionsOpen;
        let request = self.http.post(self.address(method));
        let opened: Opened = self.answer(method, request).await?;
        let url = Url::parse(&opened.url).ok().filter(|url| self.is_socket(url));
        url.ok_or_else(|| Fault::Refused("Slack named a socket that is none of its own".to_owned()))
    }

    /// Fetches at most `most` bytes; the token goes along.
    pub(super) async fn fetch(&self, url: &str, most: u64) -> Result<(Option<String>, Vec<u8>), Fault> {
        let url = self.own(url)?;
        let request = self.http.get(url).bearer_auth(self.bot.expose_secret());
        let answer = request.send().await.map_err(network)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(Fault::Limited(pause(&answer))),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(no_file()),
            status if status.is_server_error() => return Err(Fault::Away(format!("it answered {status}"))),
            status => return Err(Fault::Refused(format!("the file's address answered {status}"))),
        }
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        Ok((kind, body(answer, most).await?))
    }

    /// Sends a request to an address that Slack gave for it, which is its own secret.
    pub(super) async fn send(&self, url: &str, kind: &'static str, body: Vec<u8>) -> Result<(), Fault> {
        let request = self.http.post(self.own(url)?).header(CONTENT_TYPE, kind);
        let answer = request.body(body).send().await.map_err(network)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(Fault::Limited(pause(&answer))),
            status if status.is_server_error() => Err(Fault::Away(format!("it answered {status}"))),
            status => Err(Fault::Refused(format!(
                "an address that Slack gave answered {status}"
            ))),
        }
    }

    fn address(&self, method: Method) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(method.name());
        }
        url
    }

    async fn answer<T: DeserializeOwned>(&self, method: Method, request: RequestBuilder) -> Result<T, Fault> {
        let token = match (method, &self.app) {
            (Method::ConnectionsOpen, Some(app)) => app,
            _ => &self.bot,
        };
        let answer = request.bearer_auth(token.expose_secret()).send().await;
        let answer = answer.map_err(network)?;
        let (status, pause) = (answer.status(), pause(&answer));
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Fault::Limited(pause));
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(Fault::Away(format!("{} answered {status}", method.name())));
        }
        let bytes = body(answer, LONGEST).await?;
        let said = serde_json::from_slice::<Verdict>(&bytes);
        // Whatever stands between us and Slack answers in its own words; whether Slack was told is not known.
        let said =
            said.map_err(|_| Fault::Away(format!("{} answered {status} and no JSON", method.name())))?;
        if !said.ok {
            return Err(Fault::Said {
                method: method.name(),
                code: said.error.unwrap_or_default(),
                needed: said.needed,
            });
        }
        serde_json::from_slice(&bytes)
            .map_err(|fault| Fault::Away(format!("{} answered what cannot be read: {fault}", method.name())))
    }

    /// An address that Slack gave: its own over TLS, or the API's own host.
    fn own(&self, url: &str) -> Result<Url, Fault> {
        let url = Url::parse(url).ok().filter(|url| self.is_own(url));
        url.ok_or_else(|| Fault::Refused("that address is none of Slack's".to_owned()))
    }

    fn is_own(&self, url: &Url) -> bool {
        let plain = url.username().is_empty() && url.password().is_none();
        let slacks = url.scheme() == "https" && url.port().is_none() && self.is_slacks(url);
        plain && (slacks || url.origin() == self.root.origin())
    }

    /// A socket of Slack's; in the clear only where the API is at this host as well.
    fn is_socket(&self, url: &Url) -> bool {
        match url.scheme() {
            "wss" => self.is_slacks(url),
            "ws" => self.root.scheme() == "http" && is_loopback(url.host_str().unwrap_or_default()),
            _ => false,
        }
    }

    /// A host of Slack's, or of the domain that the API is at (Slack has others for governments).
    fn is_slacks(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let below = |domain: &str| {
            let start = host.strip_suffix(domain);
            start.is_some_and(|start| start.is_empty() || start.ends_with('.'))
        };
        let named = self.root.host_str().filter(|_| self.root.scheme() == "https");
        below("slack.com") || named.is_some_and(below)
    }

    /// A client for the socket: the same as for calls, but without an end to it.
    pub(super) fn lasting(&self) -> Result<Client, Fault> {
        let client = client(&self.root).http1_only().build();
        client.map_err(|fault| Fault::Away(format!("no HTTP client: {fault}")))
    }
}

fn client(root: &Url) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    match root.scheme() {
        // Without TLS no certificates are needed, and a machine without any must work too.
        "http" => builder.tls_certs_only([]),
        _ => builder,
    }
}

fn needed(key: &str, secret: &crate::config::Secret) -> Result<SecretString, String> {
    let value = secret.value().map_err(ToString::to_string)?;
    let text = value.expose_secret();
    let fits = |c: char| c.is_ascii_graphic();
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(value.clone()),
        false => Err(format!("{key} is empty or no token; set it again")),
    }
}

/// Where the API is, with the rule about TLS.
fn root(text: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("api {why}; leave it out for Slack's own");
    let url = Url::parse(text).map_err(|_| wrong("is no address"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("must hold a host and a path alone"));
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(host) => Ok(url),
        _ => Err(wrong("must begin with https:// (the token would travel openly)")),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn no_file() -> Fault {
    Fault::Said {
        method: "a file",
        code: "file_not_found".to_owned(),
        needed: None,
    }
}

/// Whole seconds, by <https://docs.slack.dev/apis/web-api/rate-limits>.
fn pause(answer: &Response) -> Duration {
    let text = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|text| text.to_str().ok());
    let seconds = text.and_then(|text| text.trim().parse().ok());
    seconds.map_or(UNSAID, Duration::from_secs)
}

async fn body(mut answer: Response, most: u64) -> Result<Vec<u8>, Fault> {
    let too_long = || Fault::Refused(format!("it is longer than {most} bytes"));
    if answer.content_length().is_some_and(|length| length > most) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(network)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > most {
            return Err(too_long());
        }
    }
    Ok(bytes)
}

/// What went wrong, with its causes and without the address, which may be good for whoever has it.
pub(super) fn network(fault: reqwest::Error) -> Fault {
    let timed_out = fault.is_timeout();
    let fault = fault.without_url();
    let mut said = fault.to_string();
    let mut cause = std::error::Error::source(&fault);
    while let Some(deeper) = cause {
        said = format!("{said}: {deeper}");
        cause = deeper.source();
    }
    Fault::Away(match timed_out {
        true => "Slack took too long to answer".to_owned(),
        false => said,
    })
}

#[cfg(test)]
mod tests;
