//! heartbeats/TASK-ID.json: the liveness of a running attempt, written by worker and orchestrator alike.
//!
//! Invariants: keys that nobody here knows survive a rewrite; a value of the wrong type in an optional key is
//! treated as an unknown key, so that a hand-written beat still counts; a time in the future is never trusted.
//! Deliberately absent: staleness (see `domain::liveness`) and file access.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::id::TaskId;

/// The largest file that is looked at, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// One beat.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// The task it speaks for.
    pub task_id: TaskId,
    /// When there was the last sign of life.
    pub last_heartbeat: DateTime<Utc>,
    /// The session, as its runtime names it.
    pub agent_session_key: Option<String>,
    /// The attempt's number.
    pub attempt: Option<u32>,
    /// The model at work.
    pub model: Option<String>,
    /// Its tier.
    pub tier: Option<String>,
    /// When the attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// The worker's own word for how it is going.
    pub status: Option<String>,
    /// What it is at.
    pub current_phase: Option<String>,
    /// How far it is, from 0 to 100.
    pub progress_pct: Option<u8>,
    /// The process.
    pub pid: Option<u32>,
    /// The host it runs on.
    pub node: Option<String>,
    /// How often the task was escalated.
    pub escalation_count: Option<u32>,
    /// The models that were tried, oldest first.
    pub model_history: Vec<ModelTry>,
    /// Every other key.
    pub extra: Map<String, Value>,
}

/// One model that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTry {
    /// Its name.
    pub model: String,
    /// How it went: `running`, or an outcome.
    pub result: String,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why a heartbeat file counts as missing. Reported once, never fatal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is nothing in it.
    #[error("the heartbeat file is empty")]
    Empty,
    /// It is larger than [`MAX_BYTES`].
    #[error("the heartbeat file is larger than 1 MiB")]
    TooLarge,
    /// It is no whole JSON object; perhaps half written.
    #[error("the heartbeat file is torn: {0}")]
    Torn(String),
    /// A required key is not there or cannot be read.
    #[error(
        "the heartbeat file has no readable '{0}'; write at least taskId and lastHeartbeat (RFC 3339, UTC)"
    )]
    Incomplete(&'static str),
    /// It speaks for another task.
    #[error("the heartbeat file speaks for another task, '{0}'")]
    Foreign(String),
    /// It claims a beat that has not happened yet.
    #[error("the heartbeat file is dated in the future: {0}")]
    Future(DateTime<Utc>),
}

/// Reads a file that is expected to speak for `task_id`; beats later than `now + max_future` are refused.
pub fn parse(
    bytes: &[u8],
    task_id: &TaskId,
    now: DateTime<Utc>,
    max_future: TimeDelta,
) -> Result<Heartbeat, Flaw> {
    if bytes.len() > MAX_BYTES {
        return Err(Flaw::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
        return Err(Flaw::Empty);
    }
    let map: Map<String, Value> = serde_json::from_slice(bytes).map_err(|e| Flaw::Torn(e.to_string()))?;
    let beat = from_map(map)?;
    if beat.task_id != *task_id {
        return Err(Flaw::Foreign(beat.task_id.to_string()));
    }
    match now.checked_add_signed(max_future) {
        Some(latest) if beat.last_heartbeat > latest => Err(Flaw::Future(beat.last_heartbeat)),
        _ => Ok(beat),
    }
}

fn from_map(mut map: Map<String, Value>) -> Result<Heartbeat, Flaw> {
    let name: String = take(&mut map, "taskId").ok_or(Flaw::Incomplete("taskId"))?;
    let task_id = TaskId::parse(&name).map_err(|_| Flaw::Foreign(name.chars().take(40).collect()))?;
    let last_heartbeat = take_time(&mut map, "lastHeartbeat").ok_or(Flaw::Incomplete("lastHeartbeat"))?;
    Ok(Heartbeat {
        agent_session_key: take(&mut map, "agentSessionKey"),
        attempt: take(&mut map, "attempt"),
        model: take(&mut map, "model"),
        tier: take(&mut map, "tier"),
        started_at: take_time(&mut map, "startedAt"),
        status: take(&mut map, "status"),
        current_phase: take(&mut map, "currentPhase"),
        progress_pct: take_percent(&mut map, "progressPct"),
        pid: take(&mut map, "pid"),
        node: take(&mut map, "node"),
        escalation_count: take(&mut map, "escalationCount"),
        model_history: take(&mut map, "modelHistory").unwrap_or_default(),
        extra: map,
        task_id,
        last_heartbeat,
    })
}

fn take<T: for<'de> Deserialize<'de>>(map: &mut Map<String, Value>, key: &str) -> Option<T> {
    let value = T::deserialize(map.get(key)?).ok()?;
    map.remove(key);
    Some(value)
}

fn take_time(map: &mut Map<String, Value>, key: &str) -> Option<DateTime<Utc>> {
    let time: DateTime<Utc> = take(map, key)?;
    Some(time.trunc_subsecs(6))
}

fn take_percent(map: &mut Map<String, Value>, key: &str) -> Option<u8> {
    let number = map.get(key)?.as_f64()?;
    map.remove(key);
    Some(number.clamp(0.0, 100.0) as u8)
}

impl Heartbeat {
    /// A beat with the required keys alone.
    pub fn new(task_id: TaskId, at: DateTime<Utc>) -> Self {
        Self {
            task_id,
            last_heartbeat: at.trunc_subsecs(6),
            agent_session_key: None,
            attempt: None,
            model: None,
            tier: None,
            started_at: None,
            status: None,
            current_phase: None,
            progress_pct: None,
            pid: None,
            node: None,
            escalation_count: None,
            model_history: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Takes over what `newer` says, and keeps what it does not speak of. The later of both beats counts.
    pub fn merge(self, newer: Self) -> Self {
        let mut extra = self.extra;
        extra.extend(newer.extra);
        let history = if newer.model_history.is_empty() {
            self.model_history
        } else {
            newer.model_history
        };
        Self {
            task_id: newer.task_id,
            last_heartbeat: self.last_heartbeat.max(newer.last_heartbeat),
            agent_session_key: newer.agent_session_key.or(self.agent_session_key),
            attempt: newer.attempt.or(self.attempt),
            model: newer.model.or(self.model),
            tier: newer.tier.or(self.tier),
            started_at: newer.started_at.or(self.started_at),
            status: newer.status.or(self.status),
            current_phase: newer.current_phase.or(self.current_phase),
            progress_pct: newer.progress_pct.or(self.progress_pct),
            pid: newer.pid.or(self.pid),
            node: newer.node.or(self.node),
            escalation_count: newer.escalation_count.or(self.escalation_count),
            model_history: history,
            extra,
        }
    }

    /// The file's text: one JSON object, times in RFC 3339 UTC, a newline at the end.
    pub fn print(&self) -> String {
        let mut map = self.extra.clone();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("taskId", Some(self.task_id.as_str().into()));
        put("agentSessionKey", self.agent_session_key.clone().map(Value::from));
        put("attempt", self.attempt.map(Value::from));
        put("model", self.model.clone().map(Value::from));
        put("tier", self.tier.clone().map(Value::from));
        put("startedAt", self.started_at.map(|t| rfc3339(t).into()));
        put("lastHeartbeat", Some(rfc3339(self.last_heartbeat).into()));
        put("status", self.status.clone().map(Value::from));
        put("currentPhase", self.current_phase.clone().map(Value::from));
        put("progressPct", self.progress_pct.map(Value::from));
        put("pid", self.pid.map(Value::from));
        put("node", self.node.clone().map(Value::from));
        put("escalationCount", self.escalation_count.map(Value::from));
        put("modelHistory", history_value(&self.model_history));
        let mut text = Value::Object(map).to_string();
        text.push('\n');
        text
    }
}

fn history_value(tries: &[ModelTry]) -> Option<Value> {
    if tries.is_empty() {
        None
    } else {
        serde_json::to_value(tries).ok()
    }
}

/// A time as all files here have it: RFC 3339, UTC, with as many digits as it needs.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
#[path = "heartbeat_tests.rs"]
mod tests;
