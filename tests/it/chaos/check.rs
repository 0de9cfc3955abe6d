//! The checker: what must hold of all that a story leaves behind, whatever was done to the fleet meanwhile.
//!
//! Pure. It believes the ledger of the workers about who worked when, and the tables about what was decided, and has no part
//! of the product in it. Its own tests plant violations, each of which it has to find.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::evidence::{EventRow, Evidence, MessageRow, TaskRow};
use super::ledger::{Line, What};

#[cfg(test)]
mod tests;

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// I1: no task is lost; each that was accepted has ended, once.
    Lost,
    /// I2: no two attempts of a task overlap, and what counts is what its last worker did.
    Overlap,
    /// I3: nothing is archived without the passed gate of that very attempt and commit.
    Unproven,
    /// I4: every change has its event and no event is without its change; epochs rise; no message is lost, doubled or overtaken.
    Twice,
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

/// Everything that is wrong; nothing where all is well.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    none_lost(evidence, &mut found);
    none_overlaps(evidence, &mut found);
    none_unproven(evidence, &mut found);
    events_match(evidence, &mut found);
    messages_once(evidence, &mut found);
    printed_in_order(evidence, &mut found);
    found.0
}

/// How many printed messages were printed before.
pub fn repeats(evidence: &Evidence) -> usize {
    let (mut owed, mut repeats) = (BTreeMap::<&str, usize>::new(), 0);
    for line in evidence.outbox.iter().filter_map(|row| row.line.as_deref()) {
        *owed.entry(line).or_default() += 1;
    }
    for line in &evidence.printed {
        match owed.get_mut(line.as_str()) {
            Some(left @ 1..) => *left -= 1,
            Some(_) => repeats += 1,
            None => {}
        }
    }
    repeats
}

struct Found(Vec<Violation>);

impl Found {
    fn note(&mut self, rule: Rule, what: String) {
        self.0.push(Violation { rule, what });
    }
}

fn has_ended(kind: &str) -> bool {
    matches!(kind, "completed" | "cancelled")
}

fn none_lost(evidence: &Evidence, found: &mut Found) {
    let rows: BTreeMap<&str, &TaskRow> = evidence.tasks.iter().map(|t| (t.id.as_str(), t)).collect();
    for id in &evidence.accepted {
        match rows.get(id.as_str()) {
            None => found.note(
                Rule::Lost,
                format!("{id} was accepted, and the store does not know it"),
            ),
            Some(task) if !has_ended(&task.kind) => {
                found.note(Rule::Lost, format!("{id} has not come to its end: {}", task.kind));
            }
            Some(_) => {}
        }
        let times = evidence.sections.get(id).copied().unwrap_or(0);
        if times != 1 {
            let what = format!("{id} has {times} sections in the queue file and its archive");
            found.note(Rule::Lost, what);
        }
    }
    for attempt in evidence.attempts.iter().filter(|a| a.is_open) {
        let over = rows
            .get(attempt.task_id.as_str())
            .is_none_or(|t| has_ended(&t.kind));
        if over {
            let what = format!(
                "{} has ended, its attempt {} has not",
                attempt.task_id, attempt.epoch
            );
            found.note(Rule::Lost, what);
        }
    }
    for (id, events) in by_task(&evidence.events) {
        let ends = events
            .iter()
            .filter(|e| has_ended(&e.to_state) && !has_ended(&e.from_state))
            .count();
        let again = events
            .iter()
            .filter(|e| has_ended(&e.from_state) && !has_ended(&e.to_state))
            .count();
        if ends > again + 1 {
            found.note(Rule::Lost, format!("{id} has ended {ends} times"));
        }
    }
}

fn none_overlaps(evidence: &Evidence, found: &mut Found) {
    let known: BTreeSet<(&str, u64)> = { evidence.attempts.iter() }
        .map(|a| (a.task_id.as_str(), a.epoch.cast_unsigned()))
        .collect();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ended: BTreeSet<(&str, u64)> = BTreeSet::new();
    for line in &evidence.ledger {
        let (task, epoch) = (line.task.as_str(), line.epoch);
        let who = format!("{task}, attempt {epoch} on {} at {:?}", line.node, line.at);
        let before = newest.get(task).copied().unwrap_or(0);
        match line.what {
            // Nobody can end what stands still with its supervisor; it ends as soon as that goes on.
            What::Overlaps if stood_still(evidence, line, |older| older < epoch) => {}
            What::Overlaps => {
                found.note(
                    Rule::Overlap,
                    format!("{who} began while another attempt's processes were there"),
                );
            }
            What::Begins if epoch == before => found.note(Rule::Overlap, format!("{who} was started twice")),
            _ => {}
        }
        if epoch < before && !stood_still(evidence, line, |paused| paused == epoch) {
            found.note(
                Rule::Overlap,
                format!("{who} was at work after attempt {before} had begun"),
            );
        }
        if !known.contains(&(task, epoch)) {
            found.note(Rule::Overlap, format!("{who} is no attempt that the store knows"));
        }
        if line.what == What::Ends {
            ended.insert((task, epoch));
        }
        newest.insert(task, before.max(epoch));
    }
    none_stale(evidence, &newest, &ended, found);
}

/// What counts was done by the last worker of its task, which came to its end.
fn none_stale(
    evidence: &Evidence,
    newest: &BTreeMap<&str, u64>,
    ended: &BTreeSet<(&str, u64)>,
    found: &mut Found,
) {
    for task in &evidence.tasks {
        let Some(done) = task.done_epoch.map(i64::cast_unsigned) else {
            continue;
        };
        if !ended.contains(&(task.id.as_str(), done)) {
            let what = format!(
                "{} counts as done by attempt {done}, whose worker never came to its end",
                task.id
            );
            found.note(Rule::Overlap, what);
        }
        if newest.get(task.id.as_str()).is_some_and(|newest| *newest > done) {
            let what = format!(
                "{} counts as done by attempt {done}, and a later one was at work",
                task.id
            );
            found.note(Rule::Overlap, what);
        }
    }
}

/// How long a supervisor may take after a pause to see that its time is over.
const AWAKENING: Duration = Duration::from_millis(1500);

/// Whether an attempt of this task stood still with its supervisor, until a moment before this line.
fn stood_still(evidence: &Evidence, line: &Line, which: impl Fn(u64) -> bool) -> bool {
    let mut paused = evidence.paused.iter();
    paused
        .any(|pause| pause.task == line.task && which(pause.epoch) && line.at <= pause.thawed_at + AWAKENING)
}

fn none_unproven(evidence: &Evidence, found: &mut Found) {
    for task in evidence.tasks.iter().filter(|t| t.kind == "completed") {
        let gate = evidence.gates.iter().find(|gate| {
            Some(gate.seq) == task.done_gate
                && gate.task_id == task.id
                && Some(gate.attempt) == task.done_attempt
                && Some(gate.epoch) == task.done_epoch
                && Some(&gate.commit_id) == task.done_commit.as_ref()
        });
        match gate {
            None => found.note(
                Rule::Unproven,
                format!(
                    "{} is completed without a gate of its attempt and commit",
                    task.id
                ),
            ),
            Some(gate)
                if gate.verdict != "passed"
                    || gate.receipts == 0
                    || gate.receipts != gate.passed_receipts =>
            {
                let what = format!(
                    "{} is completed by gate {}, which did not pass",
                    task.id, gate.seq
                );
                found.note(Rule::Unproven, what);
            }
            Some(_) => {}
        }
        if task.done_epoch != Some(task.epoch) {
            let what = format!(
                "{} is completed by attempt {:?} of {}",
                task.id, task.done_epoch, task.epoch
            );
            found.note(Rule::Unproven, what);
        }
    }
}

/// The versions of a task are counted by its events, each from where the last one led, and lead to where it is.
fn events_match(evidence: &Evidence, found: &mut Found) {
    let events = by_task(&evidence.events);
    for task in &evidence.tasks {
        let own: &[&EventRow] = events.get(task.id.as_str()).map_or(&[], Vec::as_slice);
        let versions: Vec<i64> = own.iter().map(|e| e.version).collect();
        if versions != (1..=task.version).collect::<Vec<_>>() {
            let what = format!(
                "{} is at version {}, its events are {versions:?}",
                task.id, task.version
            );
            found.note(Rule::Twice, what);
        }
        for pair in own.windows(2) {
            if pair[1].epoch < pair[0].epoch {
                let what = format!(
                    "the epoch of {} falls from {} to {}",
                    task.id, pair[0].epoch, pair[1].epoch
                );
                found.note(Rule::Twice, what);
            }
            if pair[1].from_state != pair[0].to_state {
                let what = format!(
                    "{} was {}, and goes on from {}",
                    task.id, pair[0].to_state, pair[1].from_state
                );
                found.note(Rule::Twice, what);
            }
        }
        if own
            .last()
            .is_some_and(|last| last.to_state != task.kind || last.epoch != task.epoch)
        {
            let what = format!("{} is {}, and its last event says otherwise", task.id, task.kind);
            found.note(Rule::Twice, what);
        }
    }
    for id in events
        .keys()
        .filter(|id| evidence.tasks.iter().all(|t| t.id != **id))
    {
        found.note(
            Rule::Twice,
            format!("there are events of {id}, which does not exist"),
        );
    }
}

/// Messages are keyed by the change that they are of: each once, each done, in the order of their changes.
fn messages_once(evidence: &Evidence, found: &mut Found) {
    let mut last: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let versions: BTreeMap<&str, i64> = evidence
        .tasks
        .iter()
        .map(|t| (t.id.as_str(), t.version))
        .collect();
    for row in &evidence.outbox {
        let Some((version, index)) = place(row) else {
            found.note(
                Rule::Twice,
                format!("message {} has the key {}", row.seq, row.key),
            );
            continue;
        };
        if let Some(before) = last.insert(&row.task, (version, index))
            && before >= (version, index)
        {
            let what = format!("message {} of {} is told after {before:?}", row.key, row.task);
            found.note(Rule::Twice, what);
        }
        if versions.get(row.task.as_str()).is_none_or(|at| version > *at) {
            let what = format!("message {} is of a change that was not made", row.key);
            found.note(Rule::Twice, what);
        }
        if !row.is_done {
            found.note(Rule::Twice, format!("message {} was never told", row.key));
        }
    }
}

/// The change that a message is of, and its place there.
fn place(row: &MessageRow) -> Option<(i64, i64)> {
    let rest = row.key.strip_prefix(&row.task)?.strip_prefix(':')?;
    let (version, index) = rest.split_once(':')?;
    Some((version.parse().ok()?, index.parse().ok()?))
}

/// What people read: every report, of each task in the order of its changes; again only where somebody died in between.
fn printed_in_order(evidence: &Evidence, found: &mut Found) {
    let mut owed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &evidence.outbox {
        if let Some(line) = &row.line {
            owed.entry(&row.task).or_default().push(line);
        }
    }
    for (task, owed) in owed {
        let mark = format!("[{task}]");
        let said = evidence.printed.iter().filter(|line| line.contains(&mark));
        // How far people have been told; what was told before may come again from some place on.
        let (mut told, mut at) = (0, 0);
        for line in said {
            if owed.get(at) != Some(&line.as_str()) {
                match owed[..told].iter().rposition(|l| l == line) {
                    Some(back) => at = back,
                    None => {
                        let what = format!("{line:?} was printed where {:?} was due", owed.get(at));
                        found.note(Rule::Twice, what);
                        continue;
                    }
                }
            }
            at += 1;
            told = told.max(at);
        }
        if told < owed.len() {
            found.note(Rule::Twice, format!("{:?} was never printed", owed[told]));
        }
    }
    let again = repeats(evidence);
    if again > 0 && !evidence.may_repeat {
        found.note(Rule::Twice, format!("{again} messages were printed twice"));
    }
}

fn by_task(events: &[EventRow]) -> BTreeMap<&str, Vec<&EventRow>> {
    let mut map: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    for event in events {
        map.entry(&event.task_id).or_default().push(event);
    }
    map
}
