//! Slack, as its stand-in has it.

use async_trait::async_trait;
use orchestrator::chat::Chat;
use orchestrator::chat::heard::Heard;
use orchestrator::chat::slack::Slack;
use serde_json::{Value, json};

use super::stage::{Seen, Stage};
use crate::slack::stand_in::{self, JANE, ME, SHOP, TEAM};

pub struct Workspace {
    stage: stand_in::Stage,
    slack: Slack,
}

impl Workspace {
    pub async fn set() -> Self {
        let stage = stand_in::Stage::set().await;
        stage.world().pace.off = true;
        Self {
            slack: stage.slack(),
            stage,
        }
    }
}

/// All texts of blocks, as people read them. What is preformatted is not escaped.
fn texts(value: &Value, is_literal: bool, all: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, is_literal, all)),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
            let is_literal = is_literal || kind == "rich_text";
            if let Some(Value::String(text)) = fields.get("text") {
                let unescaped = || {
                    text.replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&amp;", "&")
                };
                all.push(if is_literal { text.clone() } else { unescaped() });
            }
            fields.values().for_each(|field| texts(field, is_literal, all));
        }
        _ => {}
    }
}

#[async_trait]
impl Stage for Workspace {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn chat(&self) -> &dyn Chat {
        &self.slack
    }

    async fn restart(&mut self) {
        self.slack = self.stage.slack();
    }

    fn project(&self) -> &'static str {
        "shop"
    }

    fn jane(&self) -> String {
        format!("{TEAM}:{JANE}")
    }

    async fn seen(&mut self) -> Vec<Seen> {
        let world = self.stage.world();
        let seen = |message: &&Value| {
            let mut all = Vec::new();
            texts(&message["blocks"], false, &mut all);
            Seen {
                id: message["ts"].as_str().unwrap().to_owned(),
                thread: message["thread_ts"].as_str().map(str::to_owned),
                words: all.join("\n"),
            }
        };
        world.ours(SHOP).iter().map(seen).collect()
    }

    async fn say(&mut self, thread: Option<&str>, words: &str) -> String {
        let escaped = { words.replace('&', "&amp;").replace('<', "&lt;") }.replace('>', "&gt;");
        match thread {
            Some(thread) => self.stage.reply(JANE, SHOP, thread, &escaped),
            None => self.stage.say(JANE, SHOP, &escaped),
        }
    }

    async fn rewrite(&mut self, id: &str, words: &str) {
        self.stage.rewrite(SHOP, id, words);
    }

    async fn put(&mut self, name: &str, text: &str) -> String {
        let kind = "text/plain".to_owned();
        let root = {
            let mut world = self.stage.world();
            let stored = (name.to_owned(), kind, text.as_bytes().to_vec());
            world.files.insert("F1".to_owned(), stored);
            world.root.clone()
        };
        let file = json!({ "id": "F1", "name": name, "size": text.len(), "url_private": format!("{root}/files/F1") });
        let message = json!({ "user": JANE, "text": "", "subtype": "file_share", "files": [file] });
        self.stage.write(SHOP, message)
    }

    async fn delete(&mut self, id: &str) {
        let mut world = self.stage.world();
        let channel = world.channels.get_mut(SHOP).unwrap();
        channel.messages.retain(|message| message["ts"] != id);
    }

    fn unknown(&self) -> (String, String) {
        ("C0NOWHERE".to_owned(), "1355517523.000005".to_owned())
    }

    async fn drawn(&mut self) -> Vec<String> {
        self.stage.world().pings.clone()
    }

    async fn is_acknowledged(&mut self, heard: &Heard) -> bool {
        let world = self.stage.world();
        let message = heard.message.as_deref().and_then(|id| world.message(SHOP, id));
        message.is_some_and(|message| message["reactions"][0]["name"] == "eyes")
    }

    async fn whispered(&mut self, _heard: &Heard) -> Vec<String> {
        let world = self.stage.world();
        let own = world.whispers.iter().filter(|one| one.user == JANE);
        own.map(|one| one.text.clone()).collect()
    }

    async fn files(&mut self) -> Vec<(Option<String>, String, String)> {
        let world = self.stage.world();
        let all = world.channels[SHOP].messages.iter();
        let shown = all.filter(|message| message["user"] == ME && message["subtype"] == "file_share");
        shown
            .map(|message| {
                let (name, _, bytes) = &world.files[message["files"][0]["id"].as_str().unwrap()];
                let thread = message["thread_ts"].as_str().map(str::to_owned);
                (thread, name.clone(), String::from_utf8(bytes.clone()).unwrap())
            })
            .collect()
    }
}
