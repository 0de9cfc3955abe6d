//! The stand-in: one repository's state, a server on loopback over it, and a client of the dialect.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use chrono::{DateTime, Utc};
use orchestrator::clock::{Clock, Manual};
use orchestrator::forge::{Address, Forge, Kind, Settings, connect};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{gitea, github};

pub const TOKEN: &str = "forge-s3cret-token";
pub const BRANCH: &str = "orchestrator/fix-it";
pub const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub const FOREIGN: &str = "ffffffffffffffffffffffffffffffffffffffff";
pub const SQUASHED: &str = "cccccccccccccccccccccccccccccccccccccccc";

pub fn noon() -> DateTime<Utc> {
    "2026-02-09T12:00:00Z".parse().unwrap()
}

/// One repository as the forge has it.
#[derive(Default)]
pub struct World {
    /// How many entries a page holds at most.
    pub page: usize,
    pub heads: BTreeMap<String, String>,
    pub pulls: Vec<PullRow>,
    /// Commit, name, status, conclusion. GitHub's alone.
    pub runs: Vec<(&'static str, String, &'static str, Option<&'static str>)>,
    /// Commit, context, state.
    pub statuses: Vec<(&'static str, String, &'static str)>,
    pub reviews: Vec<ReviewRow>,
    /// By number: whether it is open, and its comments.
    pub issues: BTreeMap<u64, (bool, Vec<String>)>,
    pub required: Vec<&'static str>,
    /// Required by rules, besides. GitHub's alone.
    pub ruled: Vec<&'static str>,
    pub faults: Vec<Fault>,
    pub log: Vec<String>,
    /// A real repository that is pushed to, behind this one.
    pub bare: Option<PathBuf>,
}

#[derive(Clone)]
pub struct PullRow {
    pub number: u64,
    pub branch: String,
    pub base: String,
    pub head: String,
    /// `open`, `closed` or `merged`.
    pub state: &'static str,
    pub draft: bool,
    pub mergeable: Option<bool>,
    /// GitHub's alone.
    pub mergeable_state: &'static str,
}

#[derive(Clone)]
pub struct ReviewRow {
    pub id: u64,
    pub author: &'static str,
    /// In the dialect's own word.
    pub state: &'static str,
    pub commit: &'static str,
    pub trusted: bool,
    pub dismissed: bool,
    pub notes: Vec<(&'static str, u64, &'static str)>,
}

impl World {
    /// Takes over what was pushed to the real repository.
    fn see_pushes(&mut self) {
        let Some(bare) = &self.bare else { return };
        let refs = git(
            bare,
            &[
                "for-each-ref",
                "--format=%(refname:short) %(objectname)",
                "refs/heads",
            ],
        );
        let pairs = refs.lines().filter_map(|line| line.split_once(' '));
        self.heads = pairs
            .map(|(name, commit)| (name.to_owned(), commit.to_owned()))
            .collect();
        let open = self.pulls.iter_mut().filter(|p| p.state == "open");
        for pull in open {
            if let Some(head) = self.heads.get(&pull.branch) {
                pull.head.clone_from(head);
            }
        }
    }

    /// Deletes there what is not here any more.
    fn forget(&self, before: &BTreeMap<String, String>) {
        let Some(bare) = &self.bare else { return };
        for gone in before.keys().filter(|name| !self.heads.contains_key(*name)) {
            git(bare, &["update-ref", "-d", &format!("refs/heads/{gone}")]);
        }
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git").args(args).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "git {args:?}: {out:?}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// What goes wrong, once, with the first request that fits.
pub struct Fault {
    pub method: Method,
    /// A part of the path.
    pub path: &'static str,
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Whether the request is carried out all the same: the answer gets lost.
    pub done: bool,
}

impl Fault {
    pub fn new(method: Method, path: &'static str, status: u16) -> Self {
        Self {
            method,
            path,
            status,
            headers: Vec::new(),
            body: json!({ "message": "made to fail" }).to_string(),
            done: false,
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn saying(mut self, message: &str) -> Self {
        self.body = json!({ "message": message }).to_string();
        self
    }

    pub fn after_the_deed(mut self) -> Self {
        self.done = true;
        self
    }
}

/// A request, taken apart.
pub struct Request<'a> {
    pub method: &'a str,
    /// Below the repository.
    pub path: Vec<&'a str>,
    pub query: BTreeMap<String, String>,
    pub body: Value,
}

/// An answer: status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Value);

pub fn ok(body: Value) -> Answer {
    (200, Vec::new(), body)
}

pub fn refuse(status: u16, message: &str) -> Answer {
    (status, Vec::new(), json!({ "message": message }))
}

/// A server, and who talks to it.
pub struct Stage {
    pub kind: Kind,
    pub forge: Box<dyn Forge>,
    pub time: Manual,
    pub clock: Clock,
    pub url: String,
    world: Arc<Mutex<World>>,
    _serving: AbortOnDropHandle<()>,
}

impl Stage {
    pub async fn set(kind: Kind) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World {
            page: 2,
            ..World::default()
        }));
        let router = Router::new().fallback(serve).with_state((kind, world.clone()));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        let (clock, time) = Clock::manual(noon());
        let stage = Self {
            forge: client(kind, &url, clock.clone()),
            kind,
            time,
            clock,
            url,
            world,
            _serving: AbortOnDropHandle::new(serving),
        };
        stage.world().heads.insert("main".to_owned(), A.to_owned());
        stage
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Requests that change something, so far.
    pub fn acts(&self) -> Vec<String> {
        let world = self.world();
        let changes = world.log.iter().filter(|l| !l.starts_with("GET"));
        changes.cloned().collect()
    }

    /// A check that is green, red and so on, in whichever way the dialect has it.
    pub fn check(&self, commit: &'static str, name: &str, word: &'static str) {
        let mut world = self.world();
        match (self.kind, word) {
            (Kind::Gitea, _) => world.statuses.push((commit, name.to_owned(), word)),
            (Kind::GitHub, "pending") => world.runs.push((commit, name.to_owned(), "in_progress", None)),
            (Kind::GitHub, _) => {
                world.runs.retain(|(_, n, _, _)| n != name);
                world
                    .runs
                    .push((commit, name.to_owned(), "completed", Some(word)));
            }
        }
    }

    pub fn pull(&self, number: u64, branch: &str, head: &str, state: &'static str) {
        self.world().pulls.push(PullRow {
            number,
            branch: branch.to_owned(),
            base: "main".to_owned(),
            head: head.to_owned(),
            state,
            draft: false,
            mergeable: Some(true),
            mergeable_state: "clean",
        });
    }

    pub fn objects(&self) -> &'static str {
        match self.kind {
            Kind::GitHub => "CHANGES_REQUESTED",
            Kind::Gitea => "REQUEST_CHANGES",
        }
    }
}

pub fn settings(kind: Kind, url: &str) -> Settings {
    Settings {
        kind,
        host: "forge.example".to_owned(),
        api: Some(match kind {
            Kind::GitHub => url.to_owned(),
            Kind::Gitea => format!("{url}/api/v1"),
        }),
        token: SecretString::from(TOKEN),
    }
}

pub fn client(kind: Kind, url: &str, clock: Clock) -> Box<dyn Forge> {
    let repository: Address = "https://forge.example/acme/app.git".parse().unwrap();
    connect(&settings(kind, url), &repository, clock).unwrap()
}

type Shared = (Kind, Arc<Mutex<World>>);

async fn serve(
    State((kind, world)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut world = world.lock().unwrap();
    world.log.push(format!("{method} {uri}"));
    world.see_pushes();
    let fault = world
        .faults
        .iter()
        .position(|f| f.method == method && uri.path().contains(f.path));
    let fault = fault.map(|at| world.faults.remove(at));
    if let Some(fault) = fault {
        if fault.done {
            answered(kind, &mut world, &method, &uri, &headers, &body);
        }
        let mut response = Response::builder().status(fault.status);
        for (name, value) in fault.headers {
            response = response.header(name, value);
        }
        return response.body(Body::from(fault.body)).unwrap();
    }
    let before = world.heads.clone();
    let (status, headers, body) = answered(kind, &mut world, &method, &uri, &headers, &body);
    world.forget(&before);
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    response.body(body).unwrap()
}

fn answered(
    kind: Kind,
    world: &mut World,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let (scheme, root) = match kind {
        Kind::GitHub => ("Bearer", "/repos/acme/app/"),
        Kind::Gitea => ("token", "/api/v1/repos/acme/app/"),
    };
    let token = headers.get("authorization").and_then(|v| v.to_str().ok());
    if token != Some(&format!("{scheme} {TOKEN}")) {
        return refuse(401, "Bad credentials");
    }
    if kind == Kind::GitHub && headers.get("user-agent").is_none() {
        return refuse(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        );
    }
    let Some(path) = uri.path().strip_prefix(root) else {
        return refuse(404, "Not Found");
    };
    let query = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|p| !p.is_empty());
    let plain = |t: &str| t.replace("%3A", ":").replace("%2F", "/").replace('+', " ");
    let query = query.map(|pair| pair.split_once('=').unwrap());
    let request = Request {
        method: method.as_str(),
        path: path.split('/').collect(),
        query: query.map(|(k, v)| (k.to_owned(), plain(v))).collect(),
        body: serde_json::from_slice(body).unwrap_or_default(),
    };
    match kind {
        Kind::GitHub => github::answer(world, &request),
        Kind::Gitea => gitea::answer(world, &request),
    }
}

/// How a list tells that it goes on.
#[derive(Clone, Copy, PartialEq)]
pub enum Tells {
    Link,
    Total,
}

/// One page of a list, of the size that was asked for or the world's, whichever is less.
pub fn page(
    world: &World,
    request: &Request<'_>,
    all: Vec<Value>,
    tells: Tells,
) -> (Vec<Value>, Vec<(&'static str, String)>) {
    let number = |key: &str| request.query.get(key).and_then(|v| v.parse::<usize>().ok());
    let asked = number("per_page").or(number("limit")).unwrap_or(30);
    let (size, page) = (asked.min(world.page), number("page").unwrap_or(1));
    let last = all.len().div_ceil(size).max(1);
    let total = all.len();
    let entries: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let mut headers = Vec::new();
    match tells {
        Tells::Total => headers.push(("x-total-count", total.to_string())),
        // The host is not to be followed, nor the path.
        Tells::Link if page < last => headers.push((
            "link",
            format!(
                r#"<https://elsewhere.example/x?page={}&per_page={size}>; rel="next", <https://elsewhere.example/x?page={last}>; rel="last""#,
                page + 1
            ),
        )),
        Tells::Link => headers.push(("link", r#"<https://elsewhere.example/x?page=1>; rel="first""#.to_owned())),
    }
    (entries, headers)
}

pub fn list(world: &World, request: &Request<'_>, all: Vec<Value>, tells: Tells) -> Answer {
    let (entries, headers) = page(world, request, all, tells);
    (200, headers, Value::Array(entries))
}

/// Comments on an issue, and the issue itself; the same in both dialects.
pub fn issue(world: &mut World, request: &Request<'_>, number: &str, rest: &[&str]) -> Answer {
    let number: u64 = number.parse().unwrap();
    let Some((open, comments)) = world.issues.get_mut(&number) else {
        return refuse(404, "Not Found");
    };
    let shown =
        |open: bool| json!({ "number": number, "state": if open { "open" } else { "closed" }, "title": "t" });
    match (request.method, rest) {
        ("GET", []) => ok(shown(*open)),
        ("PATCH", []) => {
            *open = request.body["state"] != "closed";
            let body = shown(*open);
            (201, Vec::new(), body)
        }
        ("POST", ["comments"]) => {
            comments.push(request.body["body"].as_str().unwrap().to_owned());
            (201, Vec::new(), json!({ "id": 1 }))
        }
        ("GET", ["comments"]) => {
            let all = comments.iter().map(|c| json!({ "id": 1, "body": c })).collect();
            list(world, request, all, Tells::Link)
        }
        _ => refuse(404, "Not Found"),
    }
}
