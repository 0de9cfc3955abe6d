//! Requests that were heard and are not answered yet. Whoever waits is told every now and then that it goes on, and what it
//! waits for; what the store could not take is kept here and given to it as soon as it answers.
//!
//! Invariants: none of this asks the store before it speaks, so it speaks while the store is slow or away; a request has one
//! such sign, kept current by edits; it is over when the answer is given. Deliberately absent: answers (the clerk's), and what
//! is not known to be for us.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::Open;
use super::card::span;
use super::clerk::thread_of;
use super::ear::write_down;
use crate::chat::heard::Heard;
use crate::chat::message::{Message, Place, Text};
use crate::chat::{Chat, ChatError};

/// After so long without an answer there is a first sign.
const FIRST: TimeDelta = TimeDelta::seconds(30);
/// After so long another one.
const AGAIN: TimeDelta = TimeDelta::seconds(60);
/// Signs of one look at most: the others are told with the next.
const MOST: usize = 10;
/// How often it is looked.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// How long a sign may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many of the latest events are known as acknowledged.
const KNOWN: usize = 10_000;

/// All that wait at one surface.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Book>);

#[derive(Default)]
struct Book {
    open: BTreeMap<String, Request>,
    /// Signs of what was answered since: to be ended.
    over: Vec<(Heard, String, TimeDelta)>,
    known: HashSet<String>,
    order: VecDeque<String>,
}

struct Request {
    heard: Heard,
    since: DateTime<Utc>,
    /// When there was a sign last, and the message that it is.
    shown: Option<(DateTime<Utc>, Option<String>)>,
    /// Why it is not written down, where it is not.
    unwritten: Option<String>,
}

/// A sign that is due.
#[derive(Debug, PartialEq)]
struct Sign {
    heard: Heard,
    text: String,
    /// The message that it is an edit of.
    of: Option<String>,
}

impl Waiting {
    /// Somebody waits from now on. Whether that is new: what is delivered again waits already, or is answered.
    pub(super) fn begin(&self, heard: &Heard, now: DateTime<Utc>) -> bool {
        let mut book = self.book();
        if !book.known.insert(heard.event.clone()) {
            return false;
        }
        book.order.push_back(heard.event.clone());
        if book.order.len() > KNOWN
            && let Some(oldest) = book.order.pop_front()
        {
            book.known.remove(&oldest);
        }
        let request = Request {
            heard: heard.clone(),
            since: now,
            shown: None,
            unwritten: None,
        };
        book.open.insert(heard.event.clone(), request);
        true
    }

    /// The store does not take it.
    pub(super) fn is_unwritten(&self, event: &str, why: &str) {
        if let Some(request) = self.book().open.get_mut(event) {
            request.unwritten = Some(why.to_owned());
        }
    }

    pub(super) fn is_written(&self, event: &str) {
        if let Some(request) = self.book().open.get_mut(event) {
            request.unwritten = None;
        }
    }

    /// Why an event cannot be written down before others that wait for the store.
    pub(super) fn why_behind(&self, event: &str) -> Option<String> {
        let book = self.book();
        let mut others = book.open.iter().filter(|(other, _)| *other != event);
        others.find_map(|(_, request)| request.unwritten.clone())
    }

    /// What the store is to take, the oldest first.
    fn unwritten(&self) -> Vec<Heard> {
        let book = self.book();
        let mut all: Vec<&Request> = book.open.values().filter(|r| r.unwritten.is_some()).collect();
        all.sort_by_key(|request| request.since);
        all.into_iter().map(|request| request.heard.clone()).collect()
    }

    /// It is answered, or what answers it shows that it goes on.
    pub(super) fn end(&self, event: &str, now: DateTime<Utc>) {
        let mut book = self.book();
        if let Some(request) = book.open.remove(event)
            && let Some((_, Some(sign))) = request.shown
        {
            book.over.push((request.heard, sign, now - request.since));
        }
    }

    /// For how long the one without a sign has waited that waits longest.
    pub(super) fn silent_for(&self, now: DateTime<Utc>) -> TimeDelta {
        let since = |request: &Request| request.shown.as_ref().map_or(request.since, |(at, _)| *at);
        let book = self.book();
        let oldest = book.open.values().map(since).min();
        oldest.map_or(TimeDelta::zero(), |oldest| now - oldest)
    }

    /// Another node answers all of them.
    fn leave_to_others(&self) {
        *self.book() = Book::default();
    }

    /// The signs that are due.
    fn due(&self, now: DateTime<Utc>) -> Vec<Sign> {
        let book = self.book();
        let mut due: Vec<&Request> = { book.open.values() }.filter(|r| r.is_due(now)).collect();
        due.sort_by_key(|request| request.since);
        due.into_iter().take(MOST).map(|r| r.sign(now)).collect()
    }

    /// A sign was shown, or could not be: the next one is due later either way.
    fn showed(&self, event: &str, message: Option<String>, now: DateTime<Utc>) {
        if let Some(request) = self.book().open.get_mut(event) {
            let before = request.shown.take().and_then(|(_, message)| message);
            request.shown = Some((now, message.or(before)));
        }
    }

    fn over(&self) -> Vec<(Heard, String, TimeDelta)> {
        std::mem::take(&mut self.book().over)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        match &self.shown {
            None => now - self.since >= FIRST,
            Some((at, _)) => now - *at >= AGAIN,
        }
    }

    fn sign(&self, now: DateTime<Utc>) -> Sign {
        let waited = span(now - self.since);
        let text = match &self.unwritten {
            None => format!("… still at it ({waited})"),
            Some(why) => {
                format!("… heard, and not begun ({waited}): {why}. It is done as soon as that is over.")
            }
        };
        Sign {
            heard: self.heard.clone(),
            text,
            of: self.shown.as_ref().and_then(|(_, message)| message.clone()),
        }
    }
}

/// Tells whoever waits, for as long as the service runs.
pub(super) async fn keep(open: Open, chat: Arc<dyn Chat>) {
    let (clock, waiting) = (open.instance.clock.clone(), &open.standing.waiting);
    loop {
        let now = clock.now();
        if open.listens() {
            give_to_the_store(&open).await;
            for sign in waiting.due(now) {
                let shown = timeout(PATIENCE, show(chat.as_ref(), &sign)).await;
                let message = shown.ok().and_then(Result::ok);
                waiting.showed(&sign.heard.event, message, now);
            }
            for (heard, sign, waited) in waiting.over() {
                let text = Message::Text(Text::of(format!("Answered after {}.", span(waited))));
                let _unseen = timeout(PATIENCE, chat.edit(&heard.room, &sign, &text)).await;
            }
        } else {
            waiting.leave_to_others();
        }
        open.standing.people_wait(waiting.silent_for(clock.now()));
        clock.sleep_until(now + LOOK).await;
    }
}

/// What it could not take before, until it cannot again.
async fn give_to_the_store(open: &Open) {
    let waiting = &open.standing.waiting;
    for heard in waiting.unwritten() {
        match write_down(open, &heard).await {
            Ok(()) => waiting.is_written(&heard.event),
            Err(why) => return waiting.is_unwritten(&heard.event, &why),
        }
    }
}

async fn show(chat: &dyn Chat, sign: &Sign) -> Result<String, ChatError> {
    let heard = &sign.heard;
    let message = Message::Text(Text::of(sign.text.clone()));
    if let Some(of) = &sign.of {
        chat.edit(&heard.room, of, &message).await?;
        return Ok(of.clone());
    }
    let place = Place {
        room: heard.room.clone(),
        thread: thread_of(heard),
    };
    chat.post(&place, &message, &format!("waits:{}", heard.event), None)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::heard::{Person, What};

    fn heard(event: &str) -> Heard {
        Heard {
            event: event.to_owned(),
            at: DateTime::UNIX_EPOCH,
            who: Person {
                id: "T:U".to_owned(),
                distrust: None,
            },
            room: "C".to_owned(),
            purpose: None,
            thread: None,
            message: Some(event.to_owned()),
            what: What::Text {
                text: "!status".to_owned(),
                addressed: false,
                files: Vec::new(),
            },
            answer_at: None,
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn texts(waiting: &Waiting, seconds: i64) -> Vec<String> {
        waiting
            .due(at(seconds))
            .into_iter()
            .map(|sign| sign.text)
            .collect()
    }

    #[test]
    fn whoever_waits_is_told_after_half_a_minute_and_every_minute_from_then_on() {
        let waiting = Waiting::default();
        assert!(waiting.begin(&heard("a"), at(0)));
        assert!(texts(&waiting, 29).is_empty());
        assert_eq!(texts(&waiting, 30), ["… still at it (30 s)"]);
        assert_eq!(waiting.silent_for(at(30)), TimeDelta::seconds(30));
        waiting.showed("a", Some("m1".to_owned()), at(30));
        assert_eq!(waiting.silent_for(at(31)), TimeDelta::seconds(1));
        assert!(texts(&waiting, 89).is_empty());
        let again = waiting.due(at(90));
        assert_eq!(again[0].of.as_deref(), Some("m1"), "the same sign, edited");
        waiting.showed("a", None, at(90));
        assert_eq!(
            waiting.due(at(150))[0].of.as_deref(),
            Some("m1"),
            "a failure forgets no sign"
        );
    }

    #[test]
    fn what_is_delivered_again_waits_already_or_is_answered() {
        let waiting = Waiting::default();
        assert!(waiting.begin(&heard("a"), at(0)));
        assert!(!waiting.begin(&heard("a"), at(1)));
        waiting.end("a", at(2));
        assert!(!waiting.begin(&heard("a"), at(3)));
        assert_eq!(waiting.silent_for(at(9)), TimeDelta::zero());
        assert!(waiting.over().is_empty(), "nothing was shown");
    }

    #[test]
    fn what_the_store_does_not_take_is_said_kept_in_order_and_given_to_it() {
        let waiting = Waiting::default();
        for (n, event) in ["b", "a", "c"].into_iter().enumerate() {
            waiting.begin(&heard(event), at(n as i64));
            waiting.is_unwritten(event, "the store does not answer");
        }
        let events: Vec<String> = waiting.unwritten().into_iter().map(|heard| heard.event).collect();
        assert_eq!(events, ["b", "a", "c"]);
        assert_eq!(
            waiting.why_behind("d").as_deref(),
            Some("the store does not answer")
        );
        assert_eq!(
            texts(&waiting, 30),
            ["… heard, and not begun (30 s): the store does not answer. It is done as soon as that is over."]
        );
        waiting.is_written("b");
        assert_eq!(waiting.unwritten().len(), 2);
    }

    #[test]
    fn a_sign_ends_with_its_request() {
        let waiting = Waiting::default();
        waiting.begin(&heard("a"), at(0));
        waiting.showed("a", Some("m1".to_owned()), at(30));
        waiting.end("a", at(45));
        let over = waiting.over();
        assert_eq!((over[0].1.as_str(), over[0].2), ("m1", TimeDelta::seconds(45)));
        assert!(waiting.over().is_empty(), "once");
    }

    #[test]
    fn a_crowd_is_told_in_turns() {
        let waiting = Waiting::default();
        for n in 0..MOST + 5 {
            waiting.begin(&heard(&format!("e{n}")), at(0));
        }
        let first = waiting.due(at(40));
        assert_eq!(first.len(), MOST);
        for sign in &first {
            waiting.showed(&sign.heard.event, None, at(40));
        }
        assert_eq!(waiting.due(at(41)).len(), 5);
    }
}
