//! A stand-in for Slack, written from its public API reference: a workspace with channels, messages, threads, metadata,
//! reactions and accounts; the Web API over it, with its errors, its limits of blocks and of pace; Socket Mode; files. It can
//! lose an answer after it did what was asked, be slow, refuse, and drop sockets.
//!
//! Sources: <https://docs.slack.dev/reference/methods>, <https://docs.slack.dev/apis/events-api/using-socket-mode>,
//! <https://docs.slack.dev/reference/block-kit>, <https://docs.slack.dev/apis/web-api/rate-limits>.

pub mod acts;
pub mod blocks;
pub mod methods;
pub mod pace;
pub mod requests;
pub mod socket;
pub mod world;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri, header};
use orchestrator::chat::slack::Slack;
use orchestrator::chat::slack::manifest::{Way, manifest};
use orchestrator::config::section::{ChatKind, Slack as Settings};
use orchestrator::config::{Environment, parse};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use world::{Trouble, World};

pub const TEAM: &str = "T012AB3CD";
pub const BOT_TOKEN: &str = "xoxb-s3cret-bot";
pub const APP_TOKEN: &str = "xapp-s3cret-app";
pub const SIGNING_SECRET: &str = "s3cret-signing";
/// Our own account, and the bot behind it.
pub const ME: &str = "U0BOT";
pub const MY_BOT: &str = "B0BOT";
/// The surface's own channel; one of a project; a private one of an agent; one that the app is not in; a talk of two.
pub const MAIN: &str = "C0MAIN";
pub const SHOP: &str = "C0SHOP";
pub const MEDIC: &str = "G0MEDIC";
pub const ELSEWHERE: &str = "C0ELSE";
pub const DIRECT: &str = "D0JANE";
/// A member of the workspace.
pub const JANE: &str = "U0JANE";

pub type Shared = Arc<Mutex<World>>;

/// The workspace and its servers, which end with it.
pub struct Stage {
    /// Where the Web API is.
    pub api: String,
    world: Shared,
    _serving: Vec<AbortOnDropHandle<()>>,
}

impl Stage {
    /// A workspace with an app that was made from the manifest of Socket Mode.
    pub async fn set() -> Self {
        Self::with(&manifest("Orchestrator", Way::Socket)).await
    }

    /// A workspace with an app that was made from this manifest.
    pub async fn with(manifest: &Value) -> Self {
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let sockets = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let root = format!("http://{}", http.local_addr().unwrap());
        let link = format!("ws://{}/link", sockets.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::new(&root, &link, manifest)));
        let router = Router::new().fallback(serve).with_state(world.clone());
        let serving = vec![
            tokio::spawn(async move { axum::serve(http, router).await.unwrap() }),
            tokio::spawn(socket::serve(sockets, world.clone())),
            tokio::spawn(socket::deliver_again(world.clone())),
            tokio::spawn(requests::deliver(world.clone())),
        ];
        Self {
            api: format!("{root}/api"),
            world,
            _serving: serving.into_iter().map(AbortOnDropHandle::new).collect(),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The section of a configuration that this workspace is reached by; `listening` are the secrets besides the bot's token.
    pub fn section(&self, listening: &str) -> String {
        format!(
            "[chat.slack]\nkind = \"slack\"\nbot_token = \"{BOT_TOKEN}\"\nteam = \"{TEAM}\"\nchannel = \"{MAIN}\"\n\
             rooms = {{ shop = \"{SHOP}\" }}\nagents = {{ medic = \"{MEDIC}\" }}\napi = \"{}\"\n{listening}",
            self.api
        )
    }

    /// The settings that [`Stage::section`] is read as.
    pub fn settings(&self, listening: &str) -> Settings {
        settings(&self.section(listening))
    }

    /// The adapter, by Socket Mode; it waits a second for each answer.
    pub fn slack(&self) -> Slack {
        let settings = self.settings(&format!("app_token = \"{APP_TOKEN}\"\n"));
        Slack::new(&settings, Duration::from_secs(1)).unwrap()
    }

    /// The adapter, by requests.
    pub fn slack_by_requests(&self) -> Slack {
        let settings = self.settings(&format!("signing_secret = \"{SIGNING_SECRET}\"\n"));
        Slack::new(&settings, Duration::from_secs(1)).unwrap()
    }
}

/// The one surface of a configuration.
pub fn settings(text: &str) -> Settings {
    let loaded = parse(Path::new("orchestrator.toml"), text, &Environment::default(), &[]).unwrap();
    let (_, chat) = loaded.config.chat.into_iter().next().unwrap();
    match chat.kind {
        ChatKind::Slack(slack) => *slack,
        other => panic!("{other:?}"),
    }
}

/// A request of the Web API, taken apart.
pub struct Call<'a> {
    pub method: &'a str,
    pub args: Map<String, Value>,
    pub token: Option<&'a str>,
}

impl Call<'_> {
    /// An argument as text, whatever it came as.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.args.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }
}

/// An answer: status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

pub fn said(body: &Value) -> Answer {
    let kind = ("content-type", "application/json; charset=utf-8".to_owned());
    (200, vec![kind], body.to_string().into_bytes())
}

pub fn refused(code: &str) -> Answer {
    said(&json!({ "ok": false, "error": code }))
}

async fn serve(
    State(world): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path().trim_start_matches('/').to_owned();
    let trouble = world.lock().unwrap().trouble_with(&path);
    if let Some(Trouble::Slow(by)) = trouble {
        tokio::time::sleep(by).await;
    }
    let (status, headers, body) = match trouble {
        Some(Trouble::Refuse(status, ref headers)) => (status, headers.clone(), Vec::new()),
        Some(Trouble::Say(code)) => refused(code),
        _ => answered(&world, &method, &uri, &headers, &body),
    };
    if matches!(trouble, Some(Trouble::Hold)) {
        world.lock().unwrap().held += 1;
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    if matches!(trouble, Some(Trouble::Lose)) {
        // It was done; the connection breaks off in the middle of the answer.
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("lost"))]);
        return response
            .header(header::CONTENT_LENGTH, 9_999)
            .body(Body::from_stream(broken))
            .unwrap();
    }
    response.body(Body::from(body)).unwrap()
}

fn answered(world: &Shared, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let kind = text("content-type").unwrap_or_default();
    let path = uri.path().trim_start_matches('/');
    let mut world = world.lock().unwrap();
    if let Some(name) = path.strip_prefix("api/") {
        let call = Call {
            method: name,
            args: arguments(name, method, uri, kind, body),
            token,
        };
        return methods::answer(&mut world, &call);
    }
    match path.split_once('/') {
        Some(("files", id)) => world.file(id, token),
        Some(("upload", id)) => world.take_upload(id, body),
        Some(("response", id)) => world.take_response(id, body),
        _ => (404, Vec::new(), Vec::new()),
    }
}

/// By the method's page: some take no JSON, and see no argument of it.
fn arguments(name: &str, method: &Method, uri: &Uri, kind: &str, body: &Bytes) -> Map<String, Value> {
    let form = |bytes: &[u8]| -> Map<String, Value> {
        form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect()
    };
    let no_json = [
        "users.info",
        "conversations.history",
        "conversations.replies",
        "files.getUploadURLExternal",
        "apps.connections.open",
    ];
    if method == Method::GET {
        return form(uri.query().unwrap_or_default().as_bytes());
    }
    match kind.split(';').next().unwrap_or_default() {
        "application/json" if !no_json.contains(&name) => serde_json::from_slice(body).unwrap_or_default(),
        "application/x-www-form-urlencoded" => {
            let mut args = form(body);
            // Values that are no text come as JSON in a form.
            for value in args.values_mut() {
                let parsed = value.as_str().filter(|text| text.starts_with(['[', '{']));
                if let Some(parsed) = parsed.and_then(|text| serde_json::from_str(text).ok()) {
                    *value = parsed;
                }
            }
            args
        }
        _ => Map::new(),
    }
}
