//! Where the stories play: a chat, with a person in it, and what is to be seen there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator::chat::heard::Heard;
use orchestrator::chat::{Chat, ChatError, Deaf, Ear};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(45);

/// A message of ours, as it is shown now.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: String,
    pub thread: Option<String>,
    /// All that stands there, code included.
    pub words: String,
}

/// A chat, and Jane in the room of a project.
#[async_trait]
pub trait Stage: Send + Sync {
    fn name(&self) -> &'static str;

    fn chat(&self) -> &dyn Chat;

    /// The process ends and begins again, with what it keeps.
    async fn restart(&mut self);

    /// The project whose room it is.
    fn project(&self) -> &'static str;

    /// Jane's full id.
    fn jane(&self) -> String;

    /// What we wrote in the room and what is still there, the first first.
    async fn seen(&mut self) -> Vec<Seen>;

    /// Jane writes; the message's id.
    async fn say(&mut self, thread: Option<&str>, words: &str) -> String;

    /// Jane changes what she wrote.
    async fn rewrite(&mut self, id: &str, words: &str);

    /// Jane shows a file; the message's id.
    async fn put(&mut self, name: &str, text: &str) -> String;

    /// A message of ours is deleted.
    async fn delete(&mut self, id: &str);

    /// A room and a message that never were.
    fn unknown(&self) -> (String, String);

    /// Whom our messages ping, and what they link.
    async fn drawn(&mut self) -> Vec<String>;

    async fn is_acknowledged(&mut self, heard: &Heard) -> bool;

    /// What was answered to whoever said it, once there is something.
    async fn whispered(&mut self, heard: &Heard) -> Vec<String>;

    /// The files that we showed in the room, once there are any: thread, name, text.
    async fn files(&mut self) -> Vec<(Option<String>, String, String)>;
}

/// All that can be set up here.
pub async fn all() -> Vec<Box<dyn Stage>> {
    let all: Vec<Box<dyn Stage>> = vec![
        Box::new(super::memory::Memory::set()),
        Box::new(super::slack::Workspace::set().await),
    ];
    #[cfg(feature = "matrix")]
    let all = {
        let matrix = super::matrix::Homeserver::set().await;
        let matrix = matrix.map(|matrix| Box::new(matrix) as Box<dyn Stage>);
        all.into_iter().chain(matrix).collect()
    };
    all
}

/// What is seen, as soon as it is so.
pub async fn see(stage: &mut dyn Stage, is_so: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = stage.seen().await;
        if is_so(&seen) {
            return seen;
        }
        assert!(
            Instant::now() < deadline,
            "{}: not seen in time: {seen:#?}",
            stage.name()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Listens until it is so, again where listening ends; what was heard until then, each once.
pub async fn hear(chat: &dyn Chat, ear: &Notebook, is_so: impl Fn(&Notebook) -> bool) -> Vec<Heard> {
    let listening = async {
        loop {
            let why = chat.listen(ear).await;
            assert!(!matches!(why, ChatError::Refused { .. }), "{why}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let watching = async {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(ear) {
            assert!(
                Instant::now() < deadline,
                "not heard in time; heard {:#?}",
                ear.all()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = watching => {}
        never = listening => match never {},
    }
    ear.all()
}

/// Whoever is told what was heard: keeps it.
#[derive(Default)]
pub struct Notebook {
    heard: Mutex<Vec<Heard>>,
    echoes: Mutex<Vec<String>>,
    /// So many of the next events it cannot take.
    pub deaf: AtomicUsize,
}

#[async_trait]
impl Ear for Notebook {
    async fn hear(&self, heard: Heard) -> Result<(), Deaf> {
        let less = |left: usize| left.checked_sub(1);
        if self
            .deaf
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
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

    /// The event that this message is.
    pub fn of(&self, message: &str) -> Option<Heard> {
        let all = self.all().into_iter();
        { all }.find(|heard| heard.message.as_deref() == Some(message))
    }

    pub fn echoes(&self) -> Vec<String> {
        self.echoes.lock().unwrap().clone()
    }
}
