//! In which order tasks are shown: by who must act, then by urgency.

use std::cmp::Reverse;

use crate::service::view::TaskView;

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A person.
    NeedsYou,
    /// A worker, or the gate.
    Working,
    /// Nobody yet.
    Waiting,
    /// The person who paused it.
    Paused,
    /// Nobody any more.
    Done,
}

impl Group {
    const ALL: [Self; 5] = [
        Self::NeedsYou,
        Self::Working,
        Self::Waiting,
        Self::Paused,
        Self::Done,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::NeedsYou => "Needs you",
            Self::Working => "Working",
            Self::Waiting => "Waiting",
            Self::Paused => "Paused",
            Self::Done => "Done",
        }
    }

    /// Its word in a sentence that counts.
    pub fn counted(self) -> &'static str {
        match self {
            Self::NeedsYou => "for you",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }
}

/// The group of a task.
pub fn group(task: &TaskView) -> Group {
    match task.state.as_str() {
        "completed" | "cancelled" => Group::Done,
        "paused" => Group::Paused,
        "blocked" => Group::NeedsYou,
        "in-progress" | "validating" | "assessing" => Group::Working,
        _ if task.waiting.what == "person" => Group::NeedsYou,
        _ => Group::Waiting,
    }
}

/// The groups that have tasks, each in its order.
pub fn grouped(tasks: &[TaskView]) -> Vec<(Group, Vec<&TaskView>)> {
    let mut groups: Vec<(Group, Vec<&TaskView>)> =
        Group::ALL.map(|kind| (kind, Vec::new())).into_iter().collect();
    for task in tasks {
        let kind = group(task);
        if let Some((_, members)) = groups.iter_mut().find(|(k, _)| *k == kind) {
            members.push(task);
        }
    }
    groups.retain(|(_, members)| !members.is_empty());
    for (kind, members) in &mut groups {
        match kind {
            Group::Done => members.sort_by_key(|task| (Reverse(task.updated_at), &task.id)),
            _ => members.sort_by_key(|task| (rank(task), priority(task), &task.id)),
        }
    }
    groups
}

/// What moves comes before what stands.
fn rank(task: &TaskView) -> u8 {
    match (task.state.as_str(), task.waiting.what.as_str()) {
        ("in-progress", _) => 0,
        ("validating", _) => 1,
        ("assessing", _) => 2,
        (_, "retry") => 3,
        (_, "quota") => 4,
        (_, "budget") => 5,
        (_, "slot") => 6,
        (_, "nothing") => 7,
        _ => 8,
    }
}

fn priority(task: &TaskView) -> u8 {
    match task.priority.as_str() {
        "critical" => 0,
        "high" => 1,
        "low" => 3,
        _ => 2,
    }
}
