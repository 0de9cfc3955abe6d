//! Which channel is for what, by the configuration: on Slack people make the channels.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::ChatError;
use crate::chat::message::Purpose;
use crate::config::section::Slack as Settings;

/// The channels.
pub(super) struct Rooms {
    whole: String,
    projects: BTreeMap<String, String>,
    agents: BTreeMap<String, String>,
}

impl Rooms {
    /// Those of the configuration.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            whole: settings.channel.clone(),
            projects: settings.rooms.clone(),
            agents: settings.agents.clone(),
        }
    }

    /// The surface's own channel.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }

    /// All of them, each once.
    pub(super) fn all(&self) -> Vec<String> {
        let others = self.projects.values().chain(self.agents.values());
        let all: BTreeSet<&String> = std::iter::once(&self.whole).chain(others).collect();
        all.into_iter().cloned().collect()
    }

    /// The channel of a purpose. A project without one has the surface's own; an agent without one has none.
    pub(super) fn of(&self, purpose: &Purpose) -> Result<String, ChatError> {
        let room = match purpose {
            Purpose::Instance => Some(&self.whole),
            Purpose::Project(name) => Some(self.projects.get(name).unwrap_or(&self.whole)),
            Purpose::Agent(name) => self.agents.get(name),
        };
        room.cloned().ok_or_else(|| ChatError::Refused {
            why: "this agent has no channel: name one under agents in the surface's configuration".to_owned(),
        })
    }

    /// What a channel is for. Where one is for several things it is the surface's own, or the first project's.
    pub(super) fn purpose(&self, room: &str) -> Option<Purpose> {
        let named = |names: &BTreeMap<String, String>| {
            let mut names = names.iter();
            names.find(|(_, one)| *one == room).map(|(name, _)| name.clone())
        };
        let whole = (room == self.whole).then_some(Purpose::Instance);
        whole
            .or_else(|| named(&self.projects).map(Purpose::Project))
            .or_else(|| named(&self.agents).map(Purpose::Agent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let one = |name: &str, room: &str| BTreeMap::from([(name.to_owned(), room.to_owned())]);
        let rooms = Rooms {
            whole: "C0".to_owned(),
            projects: one("shop", "C1"),
            agents: one("medic", "C2"),
        };
        for (purpose, room) in [
            (Purpose::Instance, "C0"),
            (Purpose::Project("shop".to_owned()), "C1"),
            (Purpose::Agent("medic".to_owned()), "C2"),
        ] {
            assert_eq!(rooms.of(&purpose).unwrap(), room);
            assert_eq!(rooms.purpose(room), Some(purpose));
        }
        assert_eq!(rooms.of(&Purpose::Project("docs".to_owned())).unwrap(), "C0");
        assert!(matches!(
            rooms.of(&Purpose::Agent("x".to_owned())),
            Err(ChatError::Refused { .. })
        ));
        assert_eq!(rooms.purpose("C9"), None);
    }
}
