//! A homeserver, and somebody at an independent client: those of the tests.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::{block_in_place, spawn_blocking};

use super::{Arrivals, PATIENCE, held_against, scene, work};
use crate::service::run;

const URL: &str = "ORCHESTRATOR_TEST_MATRIX_URL";
const SECRET: &str = "ORCHESTRATOR_TEST_MATRIX_SECRET";
const CLIENT: &str = "ORCHESTRATOR_TEST_MATRIX_CLIENT";
const PASSWORD: &str = "pa55 w0rd";

/// A homeserver on this machine.
pub(super) struct Homeserver {
    url: String,
    secret: String,
    python: String,
    /// The folder of one that was started for the figures, and ends with them.
    own: Option<tempfile::TempDir>,
}

impl Homeserver {
    /// The one that the environment names, or else a new one; nothing, with a word of why, where neither can be had.
    pub(super) fn find() -> Option<Self> {
        let named = |name: &str| std::env::var(name).ok();
        if let (Some(url), Some(secret), Some(python)) = (named(URL), named(SECRET), named(CLIENT)) {
            return Some(Self {
                url,
                secret,
                python,
                own: None,
            });
        }
        match Self::start() {
            Ok(server) => Some(server),
            Err(error) => {
                eprintln!("left out: {URL} is not set, and no homeserver starts: {error:#}");
                None
            }
        }
    }

    fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("figures-matrix-").tempdir()?;
        let at = folder.path().join("homeserver");
        let said = std::process::Command::new(script())
            .arg("start")
            .arg(at)
            .output()?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let value = |name: &str| {
            let prefix = format!("export {name}=");
            let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
            found
                .map(str::to_owned)
                .context(String::from_utf8_lossy(&said.stderr).into_owned())
        };
        Ok(Self {
            url: value(URL)?,
            secret: value(SECRET)?,
            python: value(CLIENT)?,
            own: Some(folder),
        })
    }

    /// Registers a user; the full id.
    async fn register(&self, role: &str) -> anyhow::Result<String> {
        let http = reqwest::Client::builder().tls_certs_only([]).build()?;
        let url = format!("{}/_synapse/admin/v1/register", self.url);
        let asked: Value = http.get(&url).send().await?.json().await?;
        let nonce = asked["nonce"].as_str().context("no nonce")?;
        let name = format!("{role}-{}", uuid::Uuid::new_v4().simple());
        let signed = format!("{nonce}\n{name}\n{PASSWORD}\nnotadmin");
        // HMAC-SHA1, as the homeserver asks for it; nothing else here needs that hash.
        let words = "import hmac, sys; a = sys.argv; print(hmac.new(a[1].encode(), a[2].replace(chr(10), chr(0)).encode(), 'sha1').hexdigest())";
        let mac = Command::new(&self.python)
            .args(["-c", words, &self.secret, &signed])
            .output()
            .await?;
        let mac = String::from_utf8(mac.stdout)?;
        let wanted = json!({
            "nonce": nonce, "username": name, "password": PASSWORD, "admin": false, "mac": mac.trim(),
        });
        let made: Value = http.post(&url).json(&wanted).send().await?.json().await?;
        Ok(made["user_id"]
            .as_str()
            .with_context(|| made.to_string())?
            .to_owned())
    }
}

impl Drop for Homeserver {
    fn drop(&mut self) {
        if let Some(folder) = &self.own {
            let at = folder.path().join("homeserver");
            drop(std::process::Command::new(script()).arg("stop").arg(at).output());
        }
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/synapse.sh")
}

/// From the commit of each report until the client has decrypted it.
pub(super) async fn times(homeserver: &Homeserver) -> anyhow::Result<Vec<Duration>> {
    let (bot, jane) = (
        homeserver.register("bot").await?,
        homeserver.register("jane").await?,
    );
    let mut client = Client::start(homeserver, &jane).await?;
    let outside = tempfile::tempdir()?;
    let scene = scene(
        outside.path(),
        &format!(
            "kind = \"matrix\"\nhomeserver = {:?}\nuser = {bot:?}\npassword = {PASSWORD:?}\nspace = \"Figures\"\n\
             projects = [\"default\"]\nowners = [{jane:?}]\n",
            homeserver.url
        ),
    )?;
    let (made, _) = block_in_place(|| run(scene.root(), &["matrix", "bootstrap", "--json"]))?;
    let made: Value = serde_json::from_slice(&made)?;
    let rooms = made["rooms"].as_array().context("no rooms")?;
    let room = rooms.iter().find(|room| room["name"] == "default");
    let room = room.and_then(|room| room["id"].as_str()).context("no room")?;
    client.ask(json!({ "do": "join", "room": room })).await?;
    let over = Arc::new(AtomicBool::new(false));
    let working = {
        let over = over.clone();
        spawn_blocking(move || {
            let done = work(&scene);
            over.store(true, Ordering::SeqCst);
            done.map(|()| scene)
        })
    };
    let sync = json!({ "do": "sync", "timeout": 2_000 });
    while !over.load(Ordering::SeqCst) {
        client.ask(sync.clone()).await?;
    }
    let scene = working.await??;
    let give_up = Instant::now() + PATIENCE;
    loop {
        client.ask(sync.clone()).await?;
        let arrivals = client.arrivals(room).await?;
        match held_against(&scene, &arrivals).await {
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => {}
            times => return times,
        }
    }
}

/// Somebody at an independent client.
struct Client {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _store: tempfile::TempDir,
}

impl Client {
    async fn start(homeserver: &Homeserver, user: &str) -> anyhow::Result<Self> {
        let store = tempfile::tempdir()?;
        let mut child = Command::new(&homeserver.python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix/driver.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            anyhow::bail!("no pipes");
        };
        let open = json!({
            "do": "open", "homeserver": homeserver.url, "user": user, "password": PASSWORD, "store": store.path(),
        });
        let mut client = Self {
            input,
            output: BufReader::new(output).lines(),
            _child: child,
            _store: store,
        };
        client.ask(open).await?;
        client.ask(json!({ "do": "sign" })).await?;
        Ok(client)
    }

    async fn ask(&mut self, wanted: Value) -> anyhow::Result<Value> {
        self.input.write_all(format!("{wanted}\n").as_bytes()).await?;
        let line = self.output.next_line().await?.context("the client has ended")?;
        let mut answer: Value = serde_json::from_str(&line)?;
        anyhow::ensure!(answer.get("ok").is_some(), "{wanted}: {answer}");
        Ok(answer["ok"].take())
    }

    /// When each message that has a key was there, and could be read.
    async fn arrivals(&mut self, room: &str) -> anyhow::Result<Arrivals> {
        let seen = self.ask(json!({ "do": "read", "room": room })).await?;
        let seen = seen.as_array().context("no events")?;
        let at = |event: &Value| {
            let key = event["content"]["org.orchestrator.key"].as_str()?;
            Some((key.to_owned(), (event["at"].as_f64()? * 1e6) as i64))
        };
        Ok(seen.iter().filter_map(at).collect())
    }
}
