//! An ear: it takes what people say and press, shows them that it was heard, and knows whether it still hears at all.
//!
//! Invariants: what is for us is acknowledged at once and once, whatever the store or the work takes; an event is acknowledged
//! to the service only when it is written down; the standing of a surface is a round trip, not an open socket; who cannot reach
//! the fleet's database goes on listening until somebody else leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;
use uuid::Uuid;

use super::Open;
use super::outage::Outage;
use crate::chat::heard::{Distrust, Heard, What};
use crate::chat::message::Purpose;
use crate::chat::{Chat, ChatError, Deaf, Ear};
use crate::store::StoreError;

/// How long an event may take to be written down before the service is to bring it again.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same, right after the store did not answer: others wait behind.
const SHORT: Duration = Duration::from_millis(100);
/// How long an acknowledgement may take.
const ACKNOWLEDGED: Duration = Duration::from_secs(5);
/// The first pause after a connection ended; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_mins(1);
/// How often a round trip is made.
const CANARY: TimeDelta = TimeDelta::minutes(1);
/// A round trip that takes longer does not come back: the connection is made anew.
const LOST: TimeDelta = TimeDelta::seconds(90);
/// How often the rest is looked at.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// How often the standing is written down.
const WRITTEN: TimeDelta = TimeDelta::seconds(20);

/// Listens for as long as the service runs.
pub(super) async fn listen(open: Open, chat: Arc<dyn Chat>) {
    let clock = open.instance.clock.clone();
    let (mut pause, mut outage) = (PAUSE, Outage::default());
    loop {
        if !open.listens() {
            open.pass_on().await;
            clock.sleep(Duration::from_secs(1)).await;
            continue;
        }
        let (since, listener) = (clock.now(), Listener::new(&open));
        let why = tokio::select! {
            error = chat.listen(&listener) => error,
            why = watch(&open, chat.as_ref(), &mut outage) => why,
            never = open.see_to_missed(chat.as_ref()) => match never {},
        };
        tracing::warn!(surface = %open.surface, %why, "not listening; connecting again");
        open.standing.is_deaf(why.to_string());
        pause = match clock.now() - since > TimeDelta::minutes(2) {
            true => PAUSE,
            false => (pause * 2).min(LONGEST),
        };
        clock.sleep(pause).await;
    }
}

/// Makes round trips, and ends where one does not come back, or where the surface is another node's.
async fn watch(open: &Open, chat: &dyn Chat, outage: &mut Outage) -> ChatError {
    let clock = &open.instance.clock;
    let (mut sent, mut written) = (clock.now() - CANARY, clock.now() - WRITTEN);
    let mut waits: Option<DateTime<Utc>> = None;
    loop {
        let now = clock.now();
        if !open.listens() {
            return away("another node listens");
        }
        if waits.is_some() {
            open.take_passed_on(now).await;
        }
        if open.standing.heard_echo_since(sent) {
            waits = None;
        }
        if waits.is_some_and(|since| now - since > LOST) {
            return away("what was sent does not come back");
        }
        if waits.is_none() && now - sent >= CANARY {
            let nonce = Uuid::new_v4().simple().to_string();
            open.standing.sent_canary(&nonce, now);
            sent = now;
            match timeout(ACKNOWLEDGED, chat.canary(&nonce)).await {
                Ok(Ok(())) => waits = Some(now),
                Ok(Err(error)) => tracing::debug!(surface = %open.surface, %error, "no round trip now"),
                Err(_late) => tracing::debug!(surface = %open.surface, "no round trip now"),
            }
        }
        if now - written >= WRITTEN {
            written = now;
            let answers = open.write_down().await;
            outage.look(answers, clock.now(), chat).await;
        }
        clock.sleep_until(now + LOOK).await;
    }
}

fn away(why: &str) -> ChatError {
    ChatError::Away { why: why.to_owned() }
}

impl Open {
    /// For `status`, which may be asked of another process. Whether the store took it.
    async fn write_down(&self) -> bool {
        let now = self.instance.clock.now();
        let told = serde_json::to_value(self.standing.told(now)).ok();
        let flag = super::standing::flag(&self.surface);
        match timeout(ACKNOWLEDGED, self.instance.store.set_flag(&flag, told, now)).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::debug!(surface = %self.surface, %error, "its standing was not written down")
            }
            Err(_late) => {
                tracing::debug!(surface = %self.surface, "its standing was not written down in time")
            }
        }
        false
    }
}

/// In a fleet what a chat service brings by requests comes to any node, and the one that leads waits for it.
impl Open {
    fn echo_flag(&self) -> String {
        format!("echo:{}", self.surface)
    }

    /// Hands a canary that came here to the node that sent it.
    async fn pass_on(&self) {
        let Some(nonce) = self.standing.take_strange() else {
            return;
        };
        let now = self.instance.clock.now();
        let passed = self
            .instance
            .store
            .set_flag(&self.echo_flag(), Some(nonce.into()), now)
            .await;
        if let Err(error) = passed {
            tracing::debug!(surface = %self.surface, %error, "a round trip was not passed on");
        }
    }

    /// Takes a canary that came to another node.
    async fn take_passed_on(&self, now: DateTime<Utc>) {
        if self.instance.member.is_none() {
            return;
        }
        let flag = self.echo_flag();
        if let Ok(Ok(Some(flag))) = timeout(ACKNOWLEDGED, self.instance.store.flag(&flag)).await
            && let Some(nonce) = flag.value.as_str()
            && self.standing.echo(nonce, now)
        {
            self.standing.listens(now);
        }
    }
}

/// What hears.
pub(super) struct Listener {
    open: Open,
}

impl Listener {
    pub(super) fn new(open: &Open) -> Self {
        Self { open: open.clone() }
    }

    /// Whether it is for us beyond doubt, without asking anybody.
    fn is_ours(&self, heard: &Heard) -> bool {
        match &heard.what {
            What::Press { .. } => true,
            What::Reaction { on, .. } => self.open.standing.knows_card(on),
            What::Text { text, addressed, .. } => {
                let marked = text.trim_start().starts_with(['!', '/']);
                let thread = heard.thread.as_deref();
                let of_task = thread.is_some_and(|thread| self.open.standing.knows_card(thread));
                marked || *addressed || of_task || matches!(heard.purpose, Some(Purpose::Agent(_)))
            }
        }
    }

    /// Likewise, by what is written down.
    async fn is_of_a_card(&self, heard: &Heard) -> Result<bool, String> {
        let message = match &heard.what {
            What::Reaction { on, .. } => Some(on),
            _ => heard.thread.as_ref(),
        };
        let Some(message) = message else {
            return Ok(false);
        };
        let (store, surface) = (&self.open.instance.store, &self.open.surface);
        let card = in_time(&self.open, self.patience(), store.card_at(surface, message)).await?;
        Ok(card.is_some())
    }

    /// How long the store is waited for: hardly, where it did not answer just now, because others would wait behind.
    fn patience(&self) -> Duration {
        match self.open.standing.store_failed() {
            true => SHORT,
            false => PATIENCE,
        }
    }

    /// Shows that it was heard, once, and that somebody waits.
    fn acknowledge(&self, heard: &Heard, since: Instant) {
        // Programs are not answered: two of them would never end.
        let is_program = heard.who.distrust == Some(Distrust::Bot);
        let (standing, now) = (&self.open.standing, self.open.instance.clock.now());
        if !is_program && standing.waiting.begin(heard, now) {
            standing.acknowledge(heard.clone(), since);
        }
    }
}

/// Writes an event down, for the clerk.
pub(super) async fn write_down(open: &Open, heard: &Heard) -> Result<(), String> {
    let body = serde_json::to_value(heard).map_err(|error| error.to_string())?;
    let (store, now) = (&open.instance.store, open.instance.clock.now());
    in_time(
        open,
        PATIENCE,
        store.hear(&open.surface, &heard.event, &body, now),
    )
    .await?;
    open.standing.heard.notify_one();
    // Whoever is not told looks by itself.
    let _late = timeout(PATIENCE, store.announce()).await;
    Ok(())
}

async fn in_time<T>(
    open: &Open,
    patience: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, String> {
    let answer = match timeout(patience, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_late) => Err("the store does not answer".to_owned()),
    };
    open.standing.store_answers(answer.is_ok());
    answer
}

#[async_trait]
impl Ear for Listener {
    async fn hear(&self, heard: Heard) -> Result<(), Deaf> {
        let since = Instant::now();
        let standing = &self.open.standing;
        standing.listens(self.open.instance.clock.now());
        if !self.is_ours(&heard) && !self.is_of_a_card(&heard).await.map_err(Deaf)? {
            return Ok(());
        }
        self.acknowledge(&heard, since);
        let written = match standing.waiting.why_behind(&heard.event) {
            // In the order in which it was said.
            Some(why) => Err(why),
            None => write_down(&self.open, &heard).await,
        };
        written.map_err(|why| {
            standing.waiting.is_unwritten(&heard.event, &why);
            Deaf(why)
        })
    }

    fn echo(&self, nonce: &str) {
        let now = self.open.instance.clock.now();
        if !self.open.listens() {
            return self.open.standing.strange(nonce);
        }
        self.open.standing.listens(now);
        self.open.standing.echo(nonce, now);
    }
}
