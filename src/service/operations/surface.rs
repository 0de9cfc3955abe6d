//! What stands between people and what they are to be told, as `status` and `doctor` show it.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::instance::Instance;
use super::super::surface::{self, Told, flag as standing_flag};
use super::super::view::{Problem, SurfaceView};
use super::doctor::{Finding, Level};
use super::status::of_file;
use crate::config::section::{Chat, ChatKind};
use crate::domain::report::Surface;
use crate::store::{OutboxKind, StoreError};

/// What waits for less is on its way.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// A round trip that came back longer ago proves nothing any more.
const FRESH: f64 = 180.0;

/// How each chat stands, as the service that listens says.
pub(super) async fn views(instance: &Instance, running: bool) -> Result<Vec<SurfaceView>, StoreError> {
    let mut views = Vec::new();
    let chats =
        { instance.config.chat.iter() }.filter(|(_, chat)| !matches!(chat.kind, ChatKind::Webhook { .. }));
    for (surface, _) in chats {
        let told = told(instance, surface)
            .await?
            .filter(|_| running || instance.member.is_some());
        let Some((at, told)) = told else {
            views.push(view(surface, "unknown", Told::default()));
            continue;
        };
        let since = (instance.clock.now() - at).as_seconds_f64().max(0.0);
        let age = told.round_trip_age_s.map(|age| age + since);
        let standing = if age.is_some_and(|age| age < FRESH) {
            "up"
        } else {
            "deaf"
        };
        let told = Told {
            round_trip_age_s: age,
            ..told
        };
        views.push(view(surface, standing, told));
    }
    Ok(views)
}

async fn told(instance: &Instance, surface: &Surface) -> Result<Option<(DateTime<Utc>, Told)>, StoreError> {
    let flag = instance.store.flag(&standing_flag(surface)).await?;
    Ok(flag.and_then(|flag| Some((flag.set_at, serde_json::from_value(flag.value).ok()?))))
}

fn view(surface: &Surface, standing: &str, told: Told) -> SurfaceView {
    SurfaceView {
        name: surface.to_string(),
        standing: standing.to_owned(),
        since: told.listening_since,
        why: told.deaf,
        round_trip_age_s: told.round_trip_age_s,
        ack_p99_s: told.ack_p99_s,
        longest_silence_s: (standing != "unknown").then_some(told.longest_silence_s),
    }
}

/// A chat that is not heard by a service that has run for a while.
async fn deaf(instance: &Instance) -> Result<Vec<Trouble>, StoreError> {
    let mut all = Vec::new();
    for surface in instance.config.chat.keys() {
        let Some((at, told)) = told(instance, surface).await? else {
            continue;
        };
        let now = instance.clock.now();
        // Written down every twenty seconds while somebody listens.
        let is_kept = now - at < PATIENCE;
        let age = told.round_trip_age_s.unwrap_or(f64::INFINITY);
        if is_kept && age >= FRESH && told.watched_s >= FRESH {
            let why = told.deaf.map(|why| format!(": {why}")).unwrap_or_default();
            all.push(Trouble {
                code: "chat-deaf",
                message: format!("what people say to '{surface}' is not heard{why}"),
                cure: "see to its connection and its tokens; `orchestrator status --json` has the last round trip",
            });
        }
    }
    Ok(all)
}

/// What waits for surfaces that are not configured.
async fn removed(instance: &Instance) -> Result<Vec<Trouble>, StoreError> {
    let mut all = Vec::new();
    for surface in surface::removed(instance).await? {
        let waiting = instance
            .store
            .outbox_waiting(OutboxKind::To(surface.clone()))
            .await?;
        all.extend(waiting.map(|waiting| Trouble {
            code: "chat-removed",
            message: format!(
                "{} reports wait for '{surface}', which the configuration does not have",
                waiting.count
            ),
            cure: "write its section again, or leave it: they are given up after an hour",
        }));
    }
    Ok(all)
}

/// One trouble with a surface.
struct Trouble {
    code: &'static str,
    message: String,
    cure: &'static str,
}

pub(super) async fn problems(instance: &Instance) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    for (surface, chat) in &instance.config.chat {
        problems.extend(trouble(instance, surface, chat).await?);
    }
    problems.extend(deaf(instance).await?);
    problems.extend(removed(instance).await?);
    let problem = |trouble: Trouble| Problem {
        severity: "warning".to_owned(),
        help: Some(trouble.cure.to_owned()),
        ..of_file("orchestrator.toml", trouble.code, trouble.message)
    };
    Ok(problems.into_iter().map(problem).collect())
}

pub(super) async fn findings(instance: &Instance) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (surface, chat) in &instance.config.chat {
        let name = format!("chat.{surface}");
        findings.push(match trouble(instance, surface, chat).await {
            Ok(None) => Finding::good(&name, "nothing waits for longer than it should"),
            Ok(Some(trouble)) => Finding::of(&name, Level::Warning, trouble.message, trouble.cure),
            Err(error) => Finding::of(&name, Level::Bad, error.to_string(), "see to the store first"),
        });
    }
    for trouble in removed(instance).await.unwrap_or_default() {
        findings.push(Finding::of("chat", Level::Warning, trouble.message, trouble.cure));
    }
    findings
}

async fn trouble(instance: &Instance, surface: &Surface, chat: &Chat) -> Result<Option<Trouble>, StoreError> {
    if let Some(why) = surface::impediment(chat) {
        return Ok(Some(Trouble {
            code: "chat-unusable",
            message: format!("nobody is told by '{surface}': {why}"),
            cure: "set its secret and start the service again; what is to be told is kept meanwhile",
        }));
    }
    let channel = OutboxKind::To(surface.clone());
    let late = instance.clock.now() - PATIENCE;
    let waiting = instance.store.outbox_waiting(channel).await?;
    Ok(waiting.filter(|waiting| waiting.since < late).map(|waiting| {
        let why = waiting.error.map(|why| format!(": {why}")).unwrap_or_default();
        let since = waiting.since.format("%Y-%m-%d %H:%M");
        Trouble {
            code: "chat-behind",
            message: format!(
                "'{surface}' was not told {} reports since {since} UTC{why}",
                waiting.count
            ),
            cure: "see to what it answers; nothing is lost, and what waits is told in a digest",
        }
    }))
}
