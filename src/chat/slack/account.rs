//! Accounts, and why they are not obeyed.
//!
//! Invariants: an account is asked for by its id, never by a name that people choose; what cannot be asked is
//! [`Distrust::Unknown`]; what was asked is believed for two minutes, so a guest that becomes a member and a member that is
//! deactivated are known as such soon.
//! Source: <https://docs.slack.dev/reference/objects/user-object>.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::api::Api;
use super::fault::Fault;
use super::heard::Said;
use super::method::Method;
use crate::chat::heard::{Distrust, Person};

/// How long an answer is believed.
const FRESH: Duration = Duration::from_mins(2);
/// How long is waited for one: Slack wants each event taken within three seconds.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// More accounts than write at the same time.
const MOST: usize = 10_000;
/// Slack's own voice, which is no bot by its record.
const SLACKBOT: &str = "USLACKBOT";

/// The accounts of a workspace.
pub(super) struct Accounts {
    team: String,
    known: Mutex<HashMap<String, (Instant, User)>>,
}

/// An account, as far as it matters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct User {
    team_id: Option<String>,
    deleted: bool,
    is_bot: bool,
    is_workflow_bot: bool,
    is_restricted: bool,
    is_ultra_restricted: bool,
    is_stranger: bool,
    enterprise_user: Enterprise,
}

/// Of an organisation with many workspaces: those that the account is a member of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Enterprise {
    teams: Vec<String>,
}

impl Accounts {
    /// Those of a workspace.
    pub(super) fn new(team: &str) -> Self {
        Self {
            team: team.to_owned(),
            known: Mutex::default(),
        }
    }

    /// Who did it.
    pub(super) async fn person(&self, api: &Api, said: &Said) -> Person {
        let told = said.team.as_deref();
        if said.bot || said.user == SLACKBOT {
            return self.named(said, told, Some(Distrust::Bot));
        }
        let asked = tokio::time::timeout(PATIENCE, self.look(api, &said.user)).await;
        match asked {
            Ok(Ok(user)) => {
                let team = user.team(&self.team).or(told);
                let distrust = judge(&user, told, &self.team);
                self.named(said, team, distrust)
            }
            Ok(Err(fault)) => {
                tracing::warn!(user = said.user, %fault, "an account of Slack cannot be asked for");
                self.named(said, told, Some(Distrust::Unknown))
            }
            Err(_) => self.named(said, told, Some(Distrust::Unknown)),
        }
    }

    fn named(&self, said: &Said, team: Option<&str>, distrust: Option<Distrust>) -> Person {
        Person {
            id: format!("{}:{}", team.unwrap_or(&self.team), said.user),
            distrust,
        }
    }

    async fn look(&self, api: &Api, id: &str) -> Result<User, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            user: User,
        }
        if let Some(user) = self.remembered(id) {
            return Ok(user);
        }
        let answer: Answer = api.ask(Method::UsersRead, &[("user", id)]).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id.to_owned(), (Instant::now(), answer.user.clone()));
        Ok(answer.user)
    }

    fn remembered(&self, id: &str) -> Option<User> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, user) = known.get(id)?;
        (since.elapsed() < FRESH).then(|| user.clone())
    }
}

impl User {
    /// Its workspace: ours, where it is a member of ours.
    fn team<'a>(&'a self, ours: &'a str) -> Option<&'a str> {
        let member = self.enterprise_user.teams.iter().any(|team| team == ours);
        match member {
            true => Some(ours),
            false => self.team_id.as_deref(),
        }
    }
}

/// What the record says, and what the event said of where it came from; the first reason that holds.
fn judge(user: &User, told: Option<&str>, ours: &str) -> Option<Distrust> {
    let team = user.team(ours);
    let elsewhere = |team: Option<&str>| team.is_some_and(|team| team != ours);
    [
        (user.is_bot || user.is_workflow_bot, Distrust::Bot),
        (user.deleted, Distrust::Deactivated),
        (
            user.is_stranger || elsewhere(team) || elsewhere(told),
            Distrust::Foreign,
        ),
        (user.is_restricted || user.is_ultra_restricted, Distrust::Guest),
        (team.is_none(), Distrust::Unknown),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_obeyed() {
        for (record, told, expected) in [
            (r#"{"team_id":"T1"}"#, Some("T1"), None),
            (r#"{"team_id":"T1"}"#, None, None),
            (
                r#"{"team_id":"T1","is_bot":true}"#,
                Some("T1"),
                Some(Distrust::Bot),
            ),
            (
                r#"{"team_id":"T1","is_workflow_bot":true}"#,
                None,
                Some(Distrust::Bot),
            ),
            (
                r#"{"team_id":"T1","deleted":true}"#,
                Some("T1"),
                Some(Distrust::Deactivated),
            ),
            (
                r#"{"team_id":"T1","is_restricted":true}"#,
                None,
                Some(Distrust::Guest),
            ),
            (
                r#"{"team_id":"T1","is_ultra_restricted":true}"#,
                None,
                Some(Distrust::Guest),
            ),
            (r#"{"team_id":"T2"}"#, Some("T1"), Some(Distrust::Foreign)),
            (r#"{"team_id":"T1"}"#, Some("T2"), Some(Distrust::Foreign)),
            (
                r#"{"team_id":"T1","is_stranger":true}"#,
                Some("T1"),
                Some(Distrust::Foreign),
            ),
            (
                r#"{"team_id":"E1","enterprise_user":{"teams":["T3","T1"]}}"#,
                Some("T1"),
                None,
            ),
            (
                r#"{"team_id":"E1","enterprise_user":{"teams":["T3"]}}"#,
                None,
                Some(Distrust::Foreign),
            ),
            (
                r#"{"is_admin":true,"name":"owner","real_name":"The Owner"}"#,
                Some("T1"),
                Some(Distrust::Unknown),
            ),
        ] {
            let user: User = serde_json::from_str(record).unwrap();
            assert_eq!(judge(&user, told, "T1"), expected, "{record} {told:?}");
        }
    }
}
