//! How long the homeserver is to keep what is said in a room.
//!
//! Invariant: the room's state event says what the configuration says, where that says anything; else it is left alone.
//! Whether the homeserver obeys is its own configuration. Source:
//! <https://github.com/matrix-org/matrix-spec-proposals/pull/1763>.

use std::collections::BTreeMap;
use std::time::Duration;

use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::RawAnySyncOrStrippedState;
use matrix_sdk::ruma::events::StateEventType;
use serde_json::{Value, json};

use super::fault;
use super::names::Subject;
use super::session::Session;
use crate::chat::ChatError;
use crate::chat::message::Purpose;

/// The type of the state event.
pub(super) const RETENTION: &str = "m.room.retention";

/// How long what is said is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Retention {
    /// In each room; the homeserver's own measure where it is not set.
    pub everywhere: Option<Duration>,
    /// In the rooms of these projects.
    pub of_project: BTreeMap<String, Duration>,
}

impl Retention {
    fn of(&self, subject: &Subject) -> Option<Duration> {
        match subject {
            Subject::Space => None,
            Subject::Room(Purpose::Project(name)) => self.of_project.get(name).copied().or(self.everywhere),
            Subject::Room(_) => self.everywhere,
        }
    }
}

/// Writes into a room how long it keeps what is said, where that is configured and not so yet.
pub(super) async fn ensure(session: &Session, room: &Room, subject: &Subject) -> Result<(), ChatError> {
    let Some(wanted) = session.settings.retention.of(subject) else {
        return Ok(());
    };
    let wanted = u64::try_from(wanted.as_millis()).unwrap_or(u64::MAX);
    if written(room).await? == Some(wanted) {
        return Ok(());
    }
    let done = room.send_state_event_raw(RETENTION, "", json!({ "max_lifetime": wanted }));
    session.may_be_refused(room, "saying how long a room keeps what is said", done.await)
}

async fn written(room: &Room) -> Result<Option<u64>, ChatError> {
    let found = room.get_state_event(StateEventType::from(RETENTION), "").await;
    let found = found.map_err(|error| fault::of("reading how long a room keeps what is said", &error))?;
    let Some(RawAnySyncOrStrippedState::Sync(raw)) = found else {
        return Ok(None);
    };
    let event: Value = serde_json::from_str(raw.json().get()).unwrap_or_default();
    Ok(event["content"]["max_lifetime"].as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_its_own_measure_and_the_space_none() {
        let (day, week) = (Duration::from_hours(24), Duration::from_hours(168));
        let retention = Retention {
            everywhere: Some(week),
            of_project: BTreeMap::from([("shop".to_owned(), day)]),
        };
        let project = |name: &str| Subject::Room(Purpose::Project(name.to_owned()));
        let rows = [
            (Subject::Space, None),
            (Subject::Room(Purpose::Instance), Some(week)),
            (Subject::Room(Purpose::Agent("shop".to_owned())), Some(week)),
            (project("site"), Some(week)),
            (project("shop"), Some(day)),
        ];
        for (subject, wanted) in rows {
            assert_eq!(retention.of(&subject), wanted, "{subject:?}");
            assert_eq!(Retention::default().of(&subject), None);
        }
    }
}
