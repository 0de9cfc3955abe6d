//! Matrix: a real homeserver, an encrypted room, and Jane at an independent client.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator::chat::Chat;
use orchestrator::chat::heard::Heard;
use orchestrator::chat::matrix::Matrix;
use orchestrator::chat::message::Purpose;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::stage::{Notebook, Seen, Stage, hear};
use crate::matrix::scene::{Account, Client, PATIENCE, Scene};

const PROJECT: &str = "site";
/// What may be drawn of HTML: nothing that leads anywhere.
const TAGS: [&str; 7] = ["br", "b", "/b", "code", "/code", "i", "/i"];

pub struct Homeserver {
    scene: Scene,
    account: Account,
    folder: tempfile::TempDir,
    bot: Option<Matrix>,
    owner: Account,
    jane: Mutex<Client>,
    room: String,
}

impl Homeserver {
    /// None where there is no homeserver.
    pub async fn set() -> Option<Self> {
        let scene = Scene::shared()?;
        let (account, owner) = tokio::join!(scene.account("bot"), scene.account("jane"));
        let folder = tempfile::tempdir().unwrap();
        let mut jane = scene.person(&owner).await;
        let bot = scene.bot(&account, &[&owner.id], &folder.path().join("state"));
        let room = bot.room(&Purpose::Project(PROJECT.to_owned())).await.unwrap();
        jane.join(&room).await;
        // It knows that she is there, and with which device, as soon as something came back.
        let ear = Notebook::default();
        let (sent, _) = tokio::join!(
            bot.canary("settled"),
            hear(&bot, &ear, |ear| ear.echoes().contains(&"settled".to_owned()))
        );
        sent.unwrap();
        Some(Self {
            scene,
            account,
            folder,
            bot: Some(bot),
            owner,
            jane: Mutex::new(jane),
            room,
        })
    }

    /// What Jane saw of the room that we sent.
    async fn ours(&mut self) -> Vec<Value> {
        let all = self.jane.get_mut().read(&self.room).await;
        { all.into_iter() }
            .filter(|event| event["sender"] == self.account.id.as_str())
            .collect()
    }

    async fn until<T>(&mut self, find: impl Fn(&[Value]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ours = self.ours().await;
            if let Some(found) = find(&ours) {
                return found;
            }
            assert!(Instant::now() < deadline, "not seen in time: {ours:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The message that an event replaces.
fn replaced(event: &Value) -> Option<&str> {
    let relates = &event["content"]["m.relates_to"];
    (relates["rel_type"] == "m.replace").then(|| relates["event_id"].as_str())?
}

fn thread(event: &Value) -> Option<String> {
    let relates = &event["content"]["m.relates_to"];
    let root = (relates["rel_type"] == "m.thread").then(|| relates["event_id"].as_str())?;
    root.map(str::to_owned)
}

/// Whom a content mentions, and which of its tags are none of the harmless ones.
fn harm(content: &Value) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    if content["m.mentions"] != json!({}) {
        all.push(format!("mentions: {}", content["m.mentions"]));
    }
    let html = content["formatted_body"].as_str().unwrap_or_default();
    let tags = html
        .split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or_default());
    let strange = tags.filter(|tag| !TAGS.contains(tag) && !matches!(*tag, "pre" | "/pre"));
    all.extend(strange.map(|tag| format!("<{tag}>")));
    all
}

#[async_trait]
impl Stage for Homeserver {
    fn name(&self) -> &'static str {
        "matrix"
    }

    fn chat(&self) -> &dyn Chat {
        self.bot.as_ref().unwrap()
    }

    async fn restart(&mut self) {
        drop(self.bot.take());
        let state = self.folder.path().join("state");
        self.bot = Some(self.scene.bot(&self.account, &[&self.owner.id], &state));
    }

    fn project(&self) -> &'static str {
        PROJECT
    }

    fn jane(&self) -> String {
        self.owner.id.clone()
    }

    async fn seen(&mut self) -> Vec<Seen> {
        let ours = self.ours().await;
        let is_message = |event: &&Value| event["type"] == "m.room.message" && replaced(event).is_none();
        // What rings in the room beside its thread is the same word.
        let rings = |event: &&Value| event["content"]["msgtype"] == "m.text" && thread(event).is_none();
        { ours.iter() }
            .filter(is_message)
            .filter(|event| event["words"].is_string() && !rings(event))
            .map(|event| {
                let id = event["event_id"].as_str().unwrap();
                let edits = ours.iter().filter(|edit| replaced(edit) == Some(id));
                let mut newest = edits.filter_map(|edit| edit["content"]["m.new_content"]["body"].as_str());
                let words = newest.next_back().or(event["words"].as_str()).unwrap_or_default();
                Seen {
                    id: id.to_owned(),
                    thread: thread(event),
                    words: words.to_owned(),
                }
            })
            .collect()
    }

    async fn say(&mut self, thread: Option<&str>, words: &str) -> String {
        let mut content = json!({ "msgtype": "m.text", "body": words });
        if let Some(root) = thread {
            content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
        }
        let room = self.room.clone();
        self.jane.get_mut().send(&room, content).await
    }

    async fn rewrite(&mut self, id: &str, words: &str) {
        let content = json!({
            "msgtype": "m.text", "body": format!("* {words}"),
            "m.new_content": { "msgtype": "m.text", "body": words },
            "m.relates_to": { "rel_type": "m.replace", "event_id": id },
        });
        let room = self.room.clone();
        self.jane.get_mut().send(&room, content).await;
    }

    async fn put(&mut self, name: &str, text: &str) -> String {
        let put = json!({ "do": "put_file", "room": self.room, "name": name, "text": text });
        let id = self.jane.get_mut().ask(put).await;
        id.as_str().unwrap().to_owned()
    }

    async fn delete(&mut self, id: &str) {
        let token = self.bot.as_ref().unwrap().kept_token().unwrap().unwrap();
        let path = format!("/_matrix/client/v3/rooms/{}/redact/{id}/1", self.room);
        let (status, _) = self
            .scene
            .request(token.expose_secret(), "PUT", &path, json!({}))
            .await;
        assert_eq!(status, 200);
        // It is known as soon as the server brought it.
        let (bot, ear) = (self.bot.as_ref().unwrap(), Notebook::default());
        bot.canary("deleted").await.unwrap();
        hear(bot, &ear, |ear| ear.echoes().contains(&"deleted".to_owned())).await;
    }

    fn unknown(&self) -> (String, String) {
        ("!nowhere:home.test".to_owned(), "$nothing".to_owned())
    }

    async fn drawn(&mut self) -> Vec<String> {
        let ours = self.ours().await;
        let messages = ours.iter().filter(|event| event["type"] == "m.room.message");
        let contents = messages.map(|event| &event["content"]);
        let contents = contents.filter(|content| content["body"].is_string());
        contents
            .flat_map(|content| match &content["m.new_content"] {
                Value::Null => harm(content),
                new => harm(new),
            })
            .collect()
    }

    async fn is_acknowledged(&mut self, heard: &Heard) -> bool {
        let of = heard.message.clone().unwrap();
        let is_seen = move |event: &Value| {
            let relates = &event["content"]["m.relates_to"];
            event["type"] == "m.reaction" && relates["event_id"] == of.as_str() && relates["key"] == "👀"
        };
        self.until(|ours| ours.iter().any(&is_seen).then_some(())).await;
        true
    }

    async fn whispered(&mut self, heard: &Heard) -> Vec<String> {
        let of = heard.message.clone().unwrap();
        let answers = move |ours: &[Value]| -> Vec<String> {
            let to =
                |event: &&Value| event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == of.as_str();
            let words = ours.iter().filter(to).filter_map(|event| event["words"].as_str());
            words.map(str::to_owned).collect()
        };
        self.until(|ours| Some(answers(ours)).filter(|told| !told.is_empty()))
            .await
    }

    async fn files(&mut self) -> Vec<(Option<String>, String, String)> {
        let is_file = |event: &&Value| event["content"]["msgtype"] == "m.file";
        let shown = self
            .until(|ours| {
                let files: Vec<Value> = ours.iter().filter(is_file).cloned().collect();
                (!files.is_empty()).then_some(files)
            })
            .await;
        let mut files = Vec::new();
        for event in shown {
            let get = json!({ "do": "get_file", "room": self.room, "event": event["event_id"] });
            let text = self.jane.get_mut().ask(get).await;
            let name = event["content"]["body"].as_str().unwrap().to_owned();
            files.push((thread(&event), name, text.as_str().unwrap().to_owned()));
        }
        files
    }
}
