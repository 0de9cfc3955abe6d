//! The scene: a real homeserver (Synapse) that all tests share, users of their own for each, the bot, and people at an
//! independent client. Usable by whoever tests the whole path.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator::chat::heard::{Heard, What};
use orchestrator::chat::matrix::Matrix;
use orchestrator::chat::{Chat, ChatError, Deaf, Ear};
use orchestrator::config::section;
use orchestrator::domain::role::{Role, Roles};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long anything may take that has to arrive.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A homeserver.
#[derive(Debug, Clone)]
pub struct Scene {
    pub url: String,
    secret: String,
    python: String,
}

/// A user who was registered.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub password: String,
    pub token: String,
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not set");
        eprintln!("{name} is not set (scripts/synapse.sh start): nothing of Matrix is tested here");
    }
    value
}

impl Scene {
    /// The homeserver that `./test` started; none where it could not.
    pub fn shared() -> Option<Self> {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("ORCHESTRATOR_TEST_LOG"))
            .with_test_writer()
            .try_init();
        Some(Self {
            url: variable("ORCHESTRATOR_TEST_MATRIX_URL")?,
            secret: variable("ORCHESTRATOR_TEST_MATRIX_SECRET")?,
            python: variable("ORCHESTRATOR_TEST_MATRIX_CLIENT")?,
        })
    }

    /// Registers a user whose name begins with `role` and is nobody else's.
    pub async fn account(&self, role: &str) -> Account {
        self.register(role, false).await
    }

    /// The same, as an administrator of the server.
    pub async fn admin(&self, role: &str) -> Account {
        self.register(role, true).await
    }

    async fn register(&self, role: &str, is_admin: bool) -> Account {
        let url = format!("{}/_synapse/admin/v1/register", self.url);
        let nonce: Value = { http().get(&url).send().await.unwrap() }.json().await.unwrap();
        let nonce = nonce["nonce"].as_str().unwrap().to_owned();
        let name = format!("{role}-{}", uuid::Uuid::new_v4().simple());
        let (password, level) = ("pa55 w0rd", if is_admin { "admin" } else { "notadmin" });
        let signed = format!("{nonce}\n{name}\n{password}\n{level}");
        let mac = self.signature(&signed).await;
        let wanted = json!({
            "nonce": nonce, "username": name, "password": password, "admin": is_admin, "mac": mac,
        });
        let made: Value = { http().post(&url).json(&wanted).send().await.unwrap() }
            .json()
            .await
            .unwrap();
        Account {
            id: made["user_id"]
                .as_str()
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned(),
            name,
            password: password.to_owned(),
            token: made["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// HMAC-SHA1 of some lines, as Synapse asks for it; nothing else here needs that hash.
    async fn signature(&self, lines: &str) -> String {
        let words = "import hmac, sys; a = sys.argv; print(hmac.new(a[1].encode(), a[2].replace(chr(10), chr(0)).encode(), 'sha1').hexdigest())";
        let mut command = Command::new(&self.python);
        let ran = command.args(["-c", words, &self.secret, lines]).output();
        String::from_utf8(ran.await.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    }

    /// A bot whose state is in `folder` and whom these people own.
    pub fn bot(&self, account: &Account, owners: &[&str], folder: &Path) -> Matrix {
        let mut roles = Roles::default();
        for owner in owners {
            roles.give(None, owner, Role::Owner);
        }
        Matrix::open(
            &self.config(account),
            &roles,
            folder.to_owned(),
            Duration::from_secs(20),
        )
        .unwrap()
    }

    /// Its configuration.
    pub fn config(&self, account: &Account) -> section::Matrix {
        section::Matrix {
            homeserver: self.url.clone(),
            user: account.id.clone(),
            password: Some(secret(&account.password)),
            recovery_key: None,
            space: "Lab".to_owned(),
            encrypted: true,
            agents: vec!["kevin".to_owned()],
            retention: None,
            project_retention: BTreeMap::new(),
        }
    }

    /// A person at an independent client, whose device is signed.
    pub async fn person(&self, account: &Account) -> Client {
        let mut client = self.unsigned(account).await;
        client.ask(json!({"do": "sign"})).await;
        client
    }

    /// The same, whose device is not signed.
    pub async fn unsigned(&self, account: &Account) -> Client {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(&self.python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix/driver.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut client = Client {
            input,
            output: BufReader::new(output).lines(),
            _child: child,
            folder,
        };
        let open = json!({
            "do": "open", "homeserver": self.url, "user": account.id, "password": account.password,
            "store": client.folder.path(),
        });
        client.ask(open).await;
        client
    }

    /// A request of the client-server API in somebody's name.
    pub async fn request(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.url);
        let mut request = http().request(method.clone(), url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if method != reqwest::Method::GET {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
}

/// A value of the configuration.
pub fn secret(text: &str) -> orchestrator::config::secret::Secret {
    orchestrator::config::secret::Secret::known(text.into())
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([])
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

/// Somebody at an independent client.
pub struct Client {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
    folder: tempfile::TempDir,
}

impl Client {
    /// Has it do something; its answer.
    pub async fn ask(&mut self, wanted: Value) -> Value {
        let line = format!("{wanted}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
        let answer = self.output.next_line().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.expect("the client has ended")).unwrap();
        match answer.get("ok") {
            Some(done) => done.clone(),
            None => panic!("{wanted}: {}", answer["error"].as_str().unwrap_or_default()),
        }
    }

    /// Enters a room that it was invited to.
    pub async fn join(&mut self, room: &str) {
        self.ask(json!({"do": "join", "room": room})).await;
    }

    /// Writes; the event's id.
    pub async fn send(&mut self, room: &str, content: Value) -> String {
        let sent = self
            .ask(json!({"do": "send", "room": room, "content": content}))
            .await;
        sent.as_str().unwrap().to_owned()
    }

    /// Writes words.
    pub async fn say(&mut self, room: &str, words: &str) -> String {
        self.send(room, json!({"msgtype": "m.text", "body": words})).await
    }

    /// Puts a reaction on a message.
    pub async fn react(&mut self, room: &str, on: &str, emoji: &str) -> String {
        let content = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": on, "key": emoji}});
        let sent = {
            self.ask(
                json!({"do": "send", "room": room, "content": content, "kind": "m.reaction", "clear": true}),
            )
        }
        .await;
        sent.as_str().unwrap().to_owned()
    }

    /// Takes in what is new.
    pub async fn sync(&mut self) {
        self.ask(json!({"do": "sync", "timeout": 0})).await;
    }

    /// All that it has seen of a room.
    pub async fn read(&mut self, room: &str) -> Vec<Value> {
        self.sync().await;
        let seen = self.ask(json!({"do": "read", "room": room})).await;
        seen.as_array().unwrap().clone()
    }

    /// What it has seen of a room, as soon as `enough` says so.
    pub async fn read_until(&mut self, room: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.read(room).await;
            if enough(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "not seen in time; there is {seen:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whoever is told what was heard: keeps it.
#[derive(Default)]
pub struct Notebook {
    heard: Mutex<Vec<Heard>>,
    echoes: Mutex<Vec<String>>,
    /// Refuses so many of the next.
    pub deaf_for: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Ear for Notebook {
    async fn hear(&self, heard: Heard) -> Result<(), Deaf> {
        use std::sync::atomic::Ordering;
        let left = self.deaf_for.load(Ordering::SeqCst);
        if left > 0 {
            self.deaf_for.store(left - 1, Ordering::SeqCst);
            return Err(Deaf("the disk is full".to_owned()));
        }
        self.heard.lock().unwrap().push(heard);
        Ok(())
    }

    fn echo(&self, nonce: &str) {
        self.echoes.lock().unwrap().push(nonce.to_owned());
    }
}

impl Notebook {
    /// All, each once: what is delivered again has the same id.
    pub fn all(&self) -> Vec<Heard> {
        let mut all: Vec<Heard> = Vec::new();
        for heard in self.heard.lock().unwrap().iter() {
            if all.iter().all(|other| other.event != heard.event) {
                all.push(heard.clone());
            }
        }
        all
    }

    pub fn echoes(&self) -> Vec<String> {
        self.echoes.lock().unwrap().clone()
    }

    /// The words that were heard.
    pub fn words(&self) -> Vec<String> {
        let words = |heard: Heard| match heard.what {
            What::Text { text, .. } => Some(text),
            _ => None,
        };
        self.all().into_iter().filter_map(words).collect()
    }

    /// Listens until `enough` says so; what was heard. A listening that ends is begun again.
    pub async fn listen_until(&self, bot: &Matrix, enough: impl Fn(&Self) -> bool) -> Vec<Heard> {
        let listening = async {
            loop {
                let why = bot.listen(self).await;
                assert!(!matches!(why, ChatError::Refused { .. }), "{why}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let watching = async {
            let deadline = Instant::now() + PATIENCE;
            while !enough(self) {
                assert!(
                    Instant::now() < deadline,
                    "not heard in time; heard {:#?}",
                    self.all()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = watching => {}
            never = listening => match never {},
        }
        self.all()
    }

    /// The event with this id.
    pub fn of(&self, event: &str) -> Option<Heard> {
        self.all().into_iter().find(|heard| heard.event == event)
    }
}
