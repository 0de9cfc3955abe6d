//! HTTP to one repository of one forge: requests, whole lists, and errors by their meaning.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::address::Address;
use super::error::ForgeError;
use super::limit;
use super::link::{Further, further};
use super::wire::{Complaint, cut};
use crate::clock::Clock;

const CONNECT: Duration = Duration::from_secs(10);
/// For one whole answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any page holds.
const LONGEST: usize = 16 * 1024 * 1024;
/// More pages than any list that is asked for should have.
const PAGES: u64 = 200;
/// How much of a complaint is kept, in characters.
const COMPLAINT: usize = 300;

/// What differs between forges on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// What stands before the token in the header.
    pub(super) scheme: &'static str,
    /// The media type that is asked for.
    pub(super) accept: &'static str,
    /// A header more: its name and value.
    pub(super) version: Option<(&'static str, &'static str)>,
    /// The parameter for the size of a page.
    pub(super) size_key: &'static str,
    /// The size of a page: the most that the forge gives.
    pub(super) size: &'static str,
}

/// One repository of one forge.
#[derive(Debug)]
pub(super) struct Api {
    http: Client,
    repository: Url,
    host: String,
    page_size: (&'static str, &'static str),
    clock: Clock,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// In words: `the forge did not ...`.
    what: String,
    /// Below the repository.
    path: String,
    query: Vec<(&'static str, String)>,
}

impl Ask {
    pub(super) fn new(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            path: path.into(),
            query: Vec::new(),
        }
    }

    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }
}

impl Api {
    pub(super) fn new(
        dialect: Dialect,
        root: &str,
        repository: &Address,
        token: &SecretString,
        clock: Clock,
    ) -> Result<Self, ForgeError> {
        let url = endpoint(root, repository)?;
        let mut builder = Client::builder()
            .default_headers(headers(&dialect, token)?)
            .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if url.scheme() == "http" {
            // Without TLS no certificates are needed, and a machine without any must work too.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|fault| ForgeError::Settings(format!("no HTTP client: {}", chain(&fault))))?;
        Ok(Self {
            http,
            host: url.host_str().unwrap_or_default().to_owned(),
            repository: url,
            page_size: (dialect.size_key, dialect.size),
            clock,
        })
    }

    /// Reads one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, ForgeError> {
        let response = self.answer(ask, self.request(Method::GET, ask)).await?;
        self.read(ask, response).await
    }

    /// Reads one thing that need not be there.
    pub(super) async fn get_if_there<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Option<T>, ForgeError> {
        match self.get(ask).await {
            Ok(found) => Ok(Some(found)),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a list to its end; `entries` takes them out of a page.
    pub(super) async fn list<P, T>(&self, ask: &Ask, entries: fn(P) -> Vec<T>) -> Result<Vec<T>, ForgeError>
    where
        P: DeserializeOwned,
    {
        let mut all = Vec::new();
        let mut page = 1;
        loop {
            let (key, size) = self.page_size;
            let part = ask.clone().with(key, size).with("page", page.to_string());
            let request = self.request(Method::GET, &part);
            let response = self.answer(ask, request).await?;
            let headers = response.headers().clone();
            let got = entries(self.read(ask, response).await?);
            let count = got.len();
            all.extend(got);
            page = match further(&headers, page, all.len(), count) {
                Further::No => return Ok(all),
                Further::Page(next) if next <= PAGES => next,
                Further::Page(_) => return Err(self.unreadable(ask, format!("more than {PAGES} pages"))),
                Further::Unclear => return Err(self.unreadable(ask, "its next page cannot be told")),
            };
        }
    }

    /// Sends something and reads the answer.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        ask: &Ask,
        body: &impl Serialize,
    ) -> Result<T, ForgeError> {
        let response = self.answer(ask, self.request(method, ask).json(body)).await?;
        self.read(ask, response).await
    }

    /// Sends something whose answer says no more than that it was done.
    pub(super) async fn order(
        &self,
        method: Method,
        ask: &Ask,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(), ForgeError> {
        let request = self.request(method, ask);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.answer(ask, request).await.map(drop)
    }

    fn request(&self, method: Method, ask: &Ask) -> RequestBuilder {
        let mut url = self.repository.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(ask.path.split('/'));
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        self.http.request(method, url)
    }

    /// An answer that is none of success is an error.
    async fn answer(&self, ask: &Ask, request: RequestBuilder) -> Result<Response, ForgeError> {
        let response = request.send().await.map_err(|fault| self.network(ask, &fault))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        // An error without a readable body is still told by its status.
        let body = self.bytes(ask, response).await.unwrap_or_default();
        let complaint = serde_json::from_slice::<Complaint>(&body).unwrap_or_default();
        Err(self.refusal(ask, status, &headers, cut(&complaint.words(), COMPLAINT)))
    }

    fn refusal(&self, ask: &Ask, status: StatusCode, headers: &HeaderMap, message: String) -> ForgeError {
        let (host, what) = (self.host.clone(), ask.what.clone());
        if let Some(until) = limit::until(status, headers, &message, self.clock.now()) {
            return ForgeError::RateLimited { host, until };
        }
        match status.as_u16() {
            300..=399 => ForgeError::Moved { host, what },
            401 => ForgeError::Unauthorised { host, message },
            403 | 451 => ForgeError::Forbidden { host, what, message },
            404 | 410 => ForgeError::NotFound { host, what },
            405 | 423 => ForgeError::Refused { host, what, message },
            409 => ForgeError::Conflict { host, what, message },
            400 | 422 => ForgeError::Invalid { host, what, message },
            status @ (408 | 500..=599) => ForgeError::Server { host, what, status },
            status => self.unreadable(ask, format!("status {status}")),
        }
    }

    async fn read<T: DeserializeOwned>(&self, ask: &Ask, response: Response) -> Result<T, ForgeError> {
        let bytes = self.bytes(ask, response).await?;
        serde_json::from_slice(&bytes).map_err(|fault| self.unreadable(ask, fault.to_string()))
    }

    async fn bytes(&self, ask: &Ask, mut response: Response) -> Result<Vec<u8>, ForgeError> {
        let mut bytes = Vec::new();
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|fault| self.network(ask, &fault))?
        {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST {
                return Err(self.unreadable(ask, "it is too long"));
            }
        }
        Ok(bytes)
    }

    fn network(&self, ask: &Ask, fault: &reqwest::Error) -> ForgeError {
        ForgeError::Network {
            host: self.host.clone(),
            what: ask.what.clone(),
            cause: chain(fault),
        }
    }

    pub(super) fn unreadable(&self, ask: &Ask, cause: impl Into<String>) -> ForgeError {
        ForgeError::Unreadable {
            host: self.host.clone(),
            what: ask.what.clone(),
            cause: cause.into(),
        }
    }
}

/// Where the repository is, with the rule about TLS.
fn endpoint(root: &str, repository: &Address) -> Result<Url, ForgeError> {
    let wrong =
        |why: &str| ForgeError::Settings(format!("forge.api {why}, for example https://api.github.com"));
    let mut url = Url::parse(root).map_err(|_| wrong("is no address"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("must hold a host and a path alone"));
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(host) => {}
        _ => return Err(wrong("must begin with https:// (the token would travel openly)")),
    }
    url.path_segments_mut()
        .map_err(|()| wrong("is no address"))?
        .pop_if_empty()
        .extend(["repos", &repository.owner, &repository.name]);
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn headers(dialect: &Dialect, token: &SecretString) -> Result<HeaderMap, ForgeError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(dialect.accept));
    if let Some((name, value)) = dialect.version {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let text = format!("{} {}", dialect.scheme, token.expose_secret());
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        ForgeError::Settings("forge.token holds characters that no header can carry; set it again".to_owned())
    })?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

/// The error and its causes; without its address, which the forge's name stands for.
fn chain(fault: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(fault);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    match (fault.is_timeout(), text.is_empty()) {
        (true, _) => "it took too long".to_owned(),
        (false, true) => "the connection broke off".to_owned(),
        (false, false) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(root: &str, token: &str) -> Result<Api, ForgeError> {
        let dialect = Dialect {
            scheme: "Bearer",
            accept: "application/json",
            version: None,
            size_key: "limit",
            size: "50",
        };
        let repository = "https://github.com/o/n".parse().unwrap();
        Api::new(
            dialect,
            root,
            &repository,
            &SecretString::from(token),
            Clock::system(),
        )
    }

    #[test]
    fn where_a_token_may_travel() {
        for (root, fits) in [
            ("https://api.github.com", true),
            ("https://git.example.org/api/v1/", true),
            ("http://127.0.0.1:3000/api/v1", true),
            ("http://[::1]:3000", true),
            ("http://localhost:3000", true),
            ("http://git.example.org/api/v1", false),
            ("http://127.0.0.1.example.org", false),
            ("https://u:p@git.example.org", false),
            ("https://git.example.org/?x=1", false),
            ("ftp://git.example.org", false),
            ("git.example.org", false),
            ("", false),
        ] {
            assert_eq!(made(root, "t").is_ok(), fits, "{root}");
        }
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let api = made("https://api.github.com", "s3cret-token").unwrap();
        assert!(!format!("{api:?}").contains("s3cret"));
        let error = made("https://api.github.com", "s3cret\ntoken").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }

    #[test]
    fn paths_are_encoded_by_segment() {
        let api = made("https://h/api/v1/", "t").unwrap();
        let ask = Ask::new("x", "branches/orchestrator/a b?c#d%2e").with("q", "a&b c");
        let request = api.request(Method::GET, &ask).build().unwrap();
        assert_eq!(
            request.url().as_str(),
            "https://h/api/v1/repos/o/n/branches/orchestrator/a%20b%3Fc%23d%252e?q=a%26b+c"
        );
    }
}
