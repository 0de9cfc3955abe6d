//! One call to the model: streaming, its limits, and the few retries that are cheaper than a new attempt.
//!
//! Invariants: the waits of one call stay within seconds (a longer back-off is the orchestrator's business); a
//! redirect is never followed, so the key goes nowhere else; a reply is bounded in bytes; silence longer than
//! the idle limit ends the call.

use std::time::Duration;

use chrono::DateTime;
use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::timeout;

use super::assembly::{Assembled, Assembly, Step};
use super::settings::Settings;
use super::trouble::{Kind, Trouble};
use super::wire::{Event, Reply, Usage};

const API_VERSION: &str = "2023-06-01";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// More than any model writes in one reply.
const MAX_REPLY_BYTES: usize = 32 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Waits before the second and third try.
const QUICK: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1000)];
/// The longest that one call waits for a rate limit to pass.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a call tells while it is under way.
pub trait Witness {
    /// Bytes arrived.
    fn bytes(&mut self);
    /// A try broke off after using this much.
    fn spent(&mut self, usage: Usage);
    /// A try failed, and the next one begins after `delay`.
    fn retry(&mut self, trouble: &Trouble, delay: Duration);
}

/// Asks one endpoint.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    idle: Duration,
}

/// A try that failed, and what it used.
struct Failed {
    trouble: Trouble,
    usage: Usage,
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self {
            trouble,
            usage: Usage::default(),
        }
    }
}

impl Client {
    /// A client for the endpoint of `settings`.
    pub fn new(settings: &Settings, key: Option<&SecretString>) -> Result<Self, Trouble> {
        let refused = |what: String| Trouble::new(Kind::Refused, what);
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(API_VERSION),
        );
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| {
                refused("the API key holds characters that no header can carry; set it again".into())
            })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-api-key"), value);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if settings.base_url.starts_with("http://") {
            // Without TLS no certificates are needed, and a machine without any must work too.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|fault| refused(format!("no HTTP client: {}", chain(&fault))))?;
        Ok(Self {
            http,
            url: format!("{}/v1/messages", settings.base_url),
            idle: settings.idle_timeout(),
        })
    }

    /// Asks until there is a reply or a trouble that trying again soon does not mend.
    pub async fn ask(
        &self,
        request: &Value,
        first: bool,
        witness: &mut impl Witness,
    ) -> Result<Assembled, Trouble> {
        let mut plan = Plan::default();
        loop {
            let failed = match self.once(request, first, witness).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            witness.spent(failed.usage);
            let Some(delay) = plan.next(&failed.trouble) else {
                return Err(failed.trouble);
            };
            witness.retry(&failed.trouble, delay);
            tokio::time::sleep(delay).await;
        }
    }

    async fn once(
        &self,
        request: &Value,
        first: bool,
        witness: &mut impl Witness,
    ) -> Result<Assembled, Failed> {
        let sending = self.http.post(&self.url).json(request).send();
        let response = match timeout(self.idle, sending).await {
            Err(_) => return Err(silence(self.idle).into()),
            Ok(Err(fault)) => return Err(unreachable_endpoint(&self.url, &fault).into()),
            Ok(Ok(response)) => response,
        };
        witness.bytes();
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response, first).await.into());
        }
        let streams =
            header(&response, &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streams {
            self.streamed(response, witness).await
        } else {
            self.whole(response).await.map_err(Failed::from)
        }
    }

    async fn refusal(&self, response: Response, first: bool) -> Trouble {
        let status = response.status().as_u16();
        let retry_after = header(&response, &RETRY_AFTER).and_then(|text| parse_retry_after(&text));
        // An error without a readable body is still told by its status.
        let body = self.body(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        Trouble::from_answer(status, &body, retry_after, first)
    }

    /// A reply in one piece: some endpoints do not stream.
    async fn whole(&self, response: Response) -> Result<Assembled, Trouble> {
        let body = self.body(response, MAX_REPLY_BYTES).await?;
        let reply: Reply = serde_json::from_slice(&body).map_err(|fault| {
            Trouble::new(
                Kind::Refused,
                format!("{} answered something that is no message: {fault}", self.url),
            )
        })?;
        Ok(reply.into())
    }

    async fn body(&self, response: Response, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut pieces = std::pin::pin!(bounded(response, self.idle));
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece?);
            if body.len() >= limit {
                body.truncate(limit);
                break;
            }
        }
        Ok(body)
    }

    async fn streamed(&self, response: Response, witness: &mut impl Witness) -> Result<Assembled, Failed> {
        let mut assembly = Assembly::default();
        let mut events = std::pin::pin!(bounded(response, self.idle).eventsource());
        loop {
            let trouble = match events.next().await {
                None => Trouble::new(Kind::Cut, "the provider's stream ended in the middle of a reply"),
                Some(Err(fault)) => stream_fault(fault),
                Some(Ok(event)) => {
                    witness.bytes();
                    // What cannot be read is an event of a newer protocol, or noise.
                    match serde_json::from_str::<Event>(&event.data).map(|event| assembly.push(event)) {
                        Ok(Step::Whole) => return Ok(assembly.finish()),
                        Ok(Step::Failed(error)) => Trouble::from_event(&error),
                        Ok(Step::More) | Err(_) => continue,
                    }
                }
            };
            return Err(Failed {
                trouble,
                usage: assembly.usage(),
            });
        }
    }
}

/// How often, and how long, one call goes on trying.
#[derive(Debug, Default)]
struct Plan {
    quick: usize,
    cut: bool,
    waited: Duration,
}

impl Plan {
    fn next(&mut self, trouble: &Trouble) -> Option<Duration> {
        match trouble.kind {
            Kind::RateLimited => self.wait(trouble.retry_after?),
            Kind::Overloaded | Kind::Network => self.quickly(),
            Kind::Cut => (!std::mem::replace(&mut self.cut, true)).then_some(QUICK[0]),
            Kind::Auth | Kind::Billing | Kind::Idle | Kind::Poisoned | Kind::Refused => None,
        }
    }

    fn quickly(&mut self) -> Option<Duration> {
        let delay = QUICK.get(self.quick).copied();
        self.quick += 1;
        delay
    }

    /// `retry-after: 0` would make a busy loop of it, so each wait has a floor.
    fn wait(&mut self, asked: Duration) -> Option<Duration> {
        let delay = asked.max(QUICK[0]);
        self.waited = self.waited.saturating_add(delay);
        (self.waited <= PATIENCE).then_some(delay)
    }
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Seconds, or an HTTP date.
fn parse_retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    (date.to_utc() - super::worker::now()).to_std().ok()
}

/// The reply's bytes; ends with an error when it grows beyond all measure, or when nothing comes any more.
fn bounded(response: Response, idle: Duration) -> impl Stream<Item = Result<Vec<u8>, Trouble>> {
    let state = (response.bytes_stream(), 0usize);
    futures_util::stream::unfold(state, move |(mut stream, seen)| async move {
        let bytes = match timeout(idle, stream.next()).await {
            Err(_) => Err(silence(idle)),
            Ok(bytes) => bytes?.map_err(|fault| broken(&fault)),
        };
        let seen = seen + bytes.as_ref().map_or(0, |bytes| bytes.len());
        let bounded = match bytes {
            Ok(_) if seen > MAX_REPLY_BYTES => {
                Err(Trouble::new(Kind::Cut, "the provider's reply is too long"))
            }
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(trouble) => Err(trouble),
        };
        Some((bounded, (stream, seen)))
    })
}

fn stream_fault(fault: EventStreamError<Trouble>) -> Trouble {
    match fault {
        EventStreamError::Transport(trouble) => trouble,
        EventStreamError::Utf8(_) => Trouble::new(Kind::Cut, "the provider's stream is no UTF-8"),
        EventStreamError::Parser(_) => Trouble::new(Kind::Cut, "the provider's stream is no event stream"),
    }
}

fn silence(idle: Duration) -> Trouble {
    Trouble::new(
        Kind::Idle,
        format!("the provider sent nothing for {:.1} s", idle.as_secs_f32()),
    )
}

fn broken(fault: &reqwest::Error) -> Trouble {
    Trouble::new(
        Kind::Cut,
        format!("the provider's reply broke off: {}", chain(fault)),
    )
}

fn unreachable_endpoint(url: &str, fault: &reqwest::Error) -> Trouble {
    let text = format!("{url} cannot be reached: {}", chain(fault));
    let kind = if fault.is_builder() {
        Kind::Refused
    } else {
        Kind::Network
    };
    Trouble::new(kind, text)
}

/// The error and its causes; without the URL, which the caller names.
fn chain(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(fault.source(), |cause| cause.source());
    causes.fold(fault.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
