//! Which rooms there are, and what for: what the server tells is the truth.
//!
//! Invariants: a room is recognised by its mark, which counts only where the account itself wrote it; of two for the same
//! the older one counts, on every machine; a room is made only where the server has none under its alias, so two processes
//! that make it at once end up in one; a room that the account was removed from is marked as lost, and not made again; an
//! upgraded room is followed.

use std::collections::BTreeMap;
use std::time::Duration;

use matrix_sdk::deserialized_responses::RawAnySyncOrStrippedState;
use matrix_sdk::ruma::api::client::room::create_room::v3::Request as CreateRoom;
use matrix_sdk::ruma::events::StateEventType;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedRoomId, RoomAliasId};
use matrix_sdk::{Room, RoomState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::names::{MARK, Mark, Subject};
use super::retention::{self, RETENTION};
use super::session::Session;
use super::{fault, people};
use crate::chat::ChatError;

/// How often a room is tried that cannot be entered, before it counts as one that the account was removed from.
const TRIES: usize = 10;
/// Between two of these.
const PAUSE: Duration = Duration::from_millis(200);

/// The rooms of the instance.
pub(super) type Bindings = BTreeMap<Subject, Bound>;

/// A room that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// Which.
    pub room: OwnedRoomId,
    /// Whether the account is in it.
    pub is_joined: bool,
    /// Whether people and the Space were seen to since this process began.
    pub is_settled: bool,
    /// When it was marked, by the server's clock.
    since: i64,
}

/// What is read of a state event.
#[derive(Deserialize)]
struct Marked {
    sender: String,
    #[serde(default)]
    origin_server_ts: i64,
    content: Value,
}

impl Session {
    /// The rooms, as the synced state has them.
    pub async fn bindings_of_store(&self) -> Result<Bindings, ChatError> {
        let mut bindings = Bindings::new();
        for room in self.client.rooms() {
            if matches!(
                room.state(),
                RoomState::Joined | RoomState::Left | RoomState::Banned
            ) && !room.is_tombstoned()
                && let Some((subject, bound)) = self.marked(&room).await?
            {
                bind(&mut bindings, subject, bound);
            }
        }
        Ok(bindings)
    }

    /// What a room is for.
    pub async fn subject_of(&self, room: &Room) -> Option<Subject> {
        let bindings = self.bindings.lock().await;
        let mut all = bindings.iter();
        all.find(|(_, bound)| bound.room == room.room_id())
            .map(|(subject, _)| subject.clone())
    }

    /// The room of a subject; found, followed, or made.
    pub async fn ensure(&self, subject: &Subject) -> Result<Room, ChatError> {
        // Held all the while: the same room is not made twice by one process.
        let mut bindings = self.bindings.lock().await;
        if !matches!(subject, Subject::Space) {
            self.ensure_one(&mut bindings, &Subject::Space).await?;
        }
        self.ensure_one(&mut bindings, subject).await
    }

    /// Looks again at what changed: rooms that were left, taken back into, or replaced.
    pub async fn look_again(&self) -> Result<(), ChatError> {
        let mut bindings = self.bindings.lock().await;
        let settled: Vec<OwnedRoomId> = { bindings.values() }
            .filter(|bound| bound.is_settled)
            .map(|bound| bound.room.clone())
            .collect();
        *bindings = self.bindings_of_store().await?;
        for bound in bindings.values_mut() {
            bound.is_settled = settled.contains(&bound.room);
        }
        Ok(())
    }

    async fn ensure_one(&self, bindings: &mut Bindings, subject: &Subject) -> Result<Room, ChatError> {
        if let Some(bound) = bindings.get(subject) {
            let room = self.client.get_room(&bound.room);
            match room.filter(|room| !room.is_tombstoned()) {
                Some(room) if room.state() != RoomState::Joined => return Err(self.lost(subject)),
                Some(room) if bound.is_settled => return Ok(room),
                Some(room) => return self.settle(bindings, subject, room).await,
                None => {}
            }
        }
        let room = match self.successor(subject).await? {
            Some(room) => room,
            None => match self.aliased(subject).await? {
                Some(room) => room,
                None => self.make(bindings, subject).await?,
            },
        };
        self.adopt(&room, subject).await?;
        self.settle(bindings, subject, room).await
    }

    /// The room that an upgraded one of this subject was replaced by, through any number of upgrades.
    async fn successor(&self, subject: &Subject) -> Result<Option<Room>, ChatError> {
        for old in self.client.rooms() {
            let Some(new) = old.successor_room() else { continue };
            if self.marked(&old).await?.is_none_or(|(of, _)| of != *subject) {
                continue;
            }
            let Some(room) = self.enter(&new.room_id).await? else {
                return Err(self.lost(subject));
            };
            if !room.is_tombstoned() {
                return Ok(Some(room));
            }
        }
        Ok(None)
    }

    /// The room under the alias.
    async fn aliased(&self, subject: &Subject) -> Result<Option<Room>, ChatError> {
        let alias = self.alias(subject)?;
        let found = match self.client.resolve_room_alias(&alias).await {
            Ok(found) => found.room_id,
            Err(error)
                if error
                    .as_client_api_error()
                    .is_some_and(|e| e.status_code.as_u16() == 404) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(fault::of_http("asking for an alias", &error)),
        };
        // Whoever makes it just now has its alias before the account is in it.
        for _ in 0..TRIES {
            if let Some(room) = self.enter(&found).await? {
                return Ok(Some(room));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(self.lost(subject))
    }

    /// A room that the account is in, or can enter.
    async fn enter(&self, id: &OwnedRoomId) -> Result<Option<Room>, ChatError> {
        match self.client.join_room_by_id(id).await {
            Ok(_) => self.known(id).await.map(Some),
            Err(error) => match fault::of("joining a room", &error) {
                ChatError::Refused { .. } | ChatError::Gone { .. } => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn make(&self, bindings: &Bindings, subject: &Subject) -> Result<Room, ChatError> {
        let space = bindings.get(&Subject::Space).map(|bound| bound.room.clone());
        let request = self.request(subject, space.as_ref())?;
        match self.client.create_room(request).await {
            Ok(room) => {
                tracing::info!(room = %room.room_id(), ?subject, "made a room");
                Ok(room)
            }
            // Another process was quicker.
            Err(error) if fault::is_taken(&error) => {
                let found = self.aliased(subject).await?;
                found.ok_or_else(|| fault::away("making a room", "its alias is taken, and names no room yet"))
            }
            Err(error) => Err(fault::of("making a room", &error)),
        }
    }

    /// Writes the mark into a room that has none of ours.
    async fn adopt(&self, room: &Room, subject: &Subject) -> Result<(), ChatError> {
        if self.marked(room).await?.is_some_and(|(of, _)| of == *subject) {
            return Ok(());
        }
        let mark = json!(self.settings.names.mark(subject));
        let done = room.send_state_event_raw(MARK, "", mark).await;
        self.may_be_refused(room, "marking a room", done)
    }

    /// Puts the room into the Space, and invites who is missing.
    async fn settle(
        &self,
        bindings: &mut Bindings,
        subject: &Subject,
        room: Room,
    ) -> Result<Room, ChatError> {
        let space = bindings.get(&Subject::Space).map(|bound| bound.room.clone());
        if let (Subject::Room(_), Some(space)) = (subject, space) {
            self.link(&space, &room).await?;
        }
        if let Subject::Room(_) = subject
            && self.settings.encrypted
        {
            self.may_be_refused(&room, "encrypting a room", room.enable_encryption().await)?;
        }
        retention::ensure(self, &room, subject).await?;
        people::invite_missing(self, &room, subject).await?;
        let since = bindings.get(subject).filter(|bound| bound.room == room.room_id());
        let bound = Bound {
            room: room.room_id().to_owned(),
            is_joined: true,
            is_settled: true,
            since: since.map(|bound| bound.since).unwrap_or_default(),
        };
        bindings.insert(subject.clone(), bound);
        Ok(room)
    }

    /// Both ways: a client shows the room below the Space only then.
    async fn link(&self, space: &OwnedRoomId, room: &Room) -> Result<(), ChatError> {
        let what = "putting a room into the Space";
        let via = json!({ "via": [self.user().server_name()] });
        let Some(space) = self.client.get_room(space) else {
            return Ok(());
        };
        let child = room.room_id().as_str();
        if !has_state(&space, StateEventType::SpaceChild, child).await {
            let done = space.send_state_event_raw("m.space.child", child, via.clone());
            self.may_be_refused(&space, what, done.await)?;
        }
        let parent = space.room_id().as_str();
        if !has_state(room, StateEventType::SpaceParent, parent).await {
            let mut content = via;
            content["canonical"] = json!(true);
            let done = room.send_state_event_raw("m.space.parent", parent, content).await;
            self.may_be_refused(room, what, done)?;
        }
        Ok(())
    }

    /// Whoever upgraded a room may have left the account without rights in it: it can be written in all the same.
    pub(super) fn may_be_refused<T>(
        &self,
        room: &Room,
        what: &str,
        done: matrix_sdk::Result<T>,
    ) -> Result<(), ChatError> {
        match done.map_err(|error| fault::of(what, &error)) {
            Ok(_) => Ok(()),
            Err(later @ (ChatError::Limited { .. } | ChatError::Away { .. })) => Err(later),
            Err(error) => {
                tracing::warn!(room = %room.room_id(), user = %self.user(), %error, "the account lacks a right");
                Ok(())
            }
        }
    }

    /// What a room's mark says, where the account itself wrote it.
    async fn marked(&self, room: &Room) -> Result<Option<(Subject, Bound)>, ChatError> {
        let found = room.get_state_event(StateEventType::from(MARK), "").await;
        let found = found.map_err(|error| fault::of("reading a room's mark", &error))?;
        let Some(RawAnySyncOrStrippedState::Sync(raw)) = found else {
            return Ok(None);
        };
        let Ok(marked) = serde_json::from_str::<Marked>(raw.json().get()) else {
            return Ok(None);
        };
        if marked.sender != self.user().as_str() {
            return Ok(None);
        }
        let mark = Mark::deserialize(&marked.content).ok();
        let subject = mark.and_then(|mark| self.settings.names.subject(&mark));
        Ok(subject.map(|subject| {
            let bound = Bound {
                room: room.room_id().to_owned(),
                is_joined: room.state() == RoomState::Joined,
                is_settled: false,
                since: marked.origin_server_ts,
            };
            (subject, bound)
        }))
    }

    fn lost(&self, subject: &Subject) -> ChatError {
        ChatError::Gone {
            what: format!(
                "the account's place in the room '{}' (#{}); invite {} again: the room",
                self.settings.names.title(subject),
                self.settings.names.alias(subject),
                self.user()
            ),
        }
    }

    fn alias(&self, subject: &Subject) -> Result<matrix_sdk::ruma::OwnedRoomAliasId, ChatError> {
        let local = self.settings.names.alias(subject);
        let alias = format!("#{local}:{}", self.user().server_name());
        RoomAliasId::parse(&alias).map_err(|error| ChatError::Refused {
            why: format!("{alias}: {error}"),
        })
    }

    fn request(&self, subject: &Subject, space: Option<&OwnedRoomId>) -> Result<CreateRoom, ChatError> {
        let names = &self.settings.names;
        let mut state = vec![
            json!({ "type": MARK, "state_key": "", "content": names.mark(subject) }),
            // The preset lets guests in.
            json!({ "type": "m.room.guest_access", "state_key": "", "content": { "guest_access": "forbidden" } }),
        ];
        if subject != &Subject::Space {
            if self.settings.encrypted {
                let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
                state.push(json!({ "type": "m.room.encryption", "state_key": "", "content": content }));
            }
            if let Some(space) = space {
                let content = json!({ "via": [self.user().server_name()], "canonical": true });
                state.push(json!({ "type": "m.space.parent", "state_key": space, "content": content }));
            }
        }
        let mut request = CreateRoom::new();
        request.name = Some(names.title(subject));
        request.topic = Some(names.topic(subject));
        request.room_alias_name = Some(names.alias(subject));
        request.preset = Some(matrix_sdk::ruma::api::client::room::create_room::v3::RoomPreset::PrivateChat);
        request.initial_state = state.iter().map(raw).collect::<Result<_, _>>()?;
        request.power_level_content_override = Some(raw(&powers(subject))?);
        if subject == &Subject::Space {
            request.creation_content = Some(raw(&json!({ "type": "m.space" }))?);
        }
        Ok(request)
    }
}

/// Nobody else says what a room is for, or (in the Space) anything at all.
fn powers(subject: &Subject) -> Value {
    let mut powers = json!({
        "events": {
            MARK: 100,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.encryption": 100,
            RETENTION: 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": 100,
            "m.room.canonical_alias": 50,
            "m.room.avatar": 50,
            "m.room.name": 50,
        },
    });
    if subject == &Subject::Space {
        powers["events_default"] = json!(100);
    }
    powers
}

fn raw<T>(value: &Value) -> Result<Raw<T>, ChatError> {
    let text = serde_json::value::to_raw_value(value);
    text.map(Raw::from_json).map_err(|error| ChatError::Refused {
        why: error.to_string(),
    })
}

/// Of two for the same, one that we are in counts; of these, the one that was there first.
fn bind(bindings: &mut Bindings, subject: Subject, bound: Bound) {
    let rank = |bound: &Bound| (!bound.is_joined, bound.since, bound.room.clone());
    match bindings.get(&subject) {
        Some(there) if rank(there) <= rank(&bound) => {}
        _ => {
            bindings.insert(subject, bound);
        }
    }
}

/// Whether there is such a state event with a server to go by: an empty one takes it back.
async fn has_state(room: &Room, kind: StateEventType, key: &str) -> bool {
    match room.get_state_event(kind, key).await {
        Ok(Some(RawAnySyncOrStrippedState::Sync(raw))) => {
            let marked = serde_json::from_str::<Marked>(raw.json().get());
            marked.is_ok_and(|marked| marked.content["via"].is_array())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use matrix_sdk::ruma::room_id;

    use super::*;

    #[test]
    fn of_two_rooms_one_counts_on_every_machine() {
        let bound = |room: &matrix_sdk::ruma::RoomId, is_joined, since| Bound {
            room: room.to_owned(),
            is_joined,
            is_settled: false,
            since,
        };
        let (a, b, c) = (room_id!("!a:h"), room_id!("!b:h"), room_id!("!c:h"));
        let all = [bound(a, false, 1), bound(b, true, 3), bound(c, true, 2)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            let mut bindings = Bindings::new();
            for at in order {
                bind(&mut bindings, Subject::Space, all[at].clone());
            }
            assert_eq!(bindings[&Subject::Space].room, c, "{order:?}");
        }
    }

    #[test]
    fn only_the_account_says_what_a_room_is_for() {
        assert_eq!(powers(&Subject::Space)["events"][MARK], 100);
        assert_eq!(powers(&Subject::Space)["events_default"], 100);
    }
}
