//! A person's word on what the gate saw: of exactly that, by somebody whose word counts, in time, and by as many as
//! must say it.

use super::super::approval::{Asked, Word, begins, shown};
use super::super::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace};
use super::super::task::{Block, Claim, State, Task};
use super::draft::Draft;
use super::{Context, Ruling, gate, landing};

/// What waits for a person's word.
struct Waiting<'a> {
    reason: &'a str,
    claim: &'a Claim,
    report: &'a GateReport,
    asked: Option<&'a Asked>,
}

fn waiting<'a>(task: &'a Task, by: &str, cx: &Context<'_>) -> Result<Waiting<'a>, String> {
    let State::Blocked {
        block:
            Block::Approval {
                reason,
                claim,
                report,
                asked,
            },
        ..
    } = &task.state
    else {
        return Err(format!("nothing waits for approval; it is {}", task.state.name()));
    };
    let rules = &cx.policy.approvals;
    if !rules.allow(by) {
        let people = rules.people.join(", ");
        return Err(format!(
            "the word of {by} does not count; it is for {people} to say"
        ));
    }
    Ok(Waiting {
        reason,
        claim,
        report,
        asked: asked.as_ref(),
    })
}

pub(super) fn approve(
    task: &Task,
    by: &str,
    comment: &str,
    seen: Option<&str>,
    cx: &Context<'_>,
) -> Result<Ruling, String> {
    let waits = waiting(task, by, cx)?;
    let commit = &waits.report.commit;
    let is_meant = |seen: &str| begins(seen, commit) || waits.asked.is_some_and(|asked| asked.is_named(seen));
    if let Some(seen) = seen.filter(|seen| !is_meant(seen)) {
        return Err(format!(
            "commit {commit} waits for approval, and not {seen}; look at it first"
        ));
    }
    if let Some(why) = waits.asked.and_then(|asked| stale(task, &waits, asked, cx)) {
        return Err(why);
    }
    let mut words = waits.asked.map(|asked| asked.words.clone()).unwrap_or_default();
    let eyes = cx.policy.approvals.eyes;
    let said_it = words.iter().any(|word| word.by == by);
    let claimed_it = waits.claim.by_hand.as_deref() == Some(by);
    if said_it || (claimed_it && eyes > 1) {
        let what = if said_it {
            "approved it"
        } else {
            "said that it is complete"
        };
        return Err(format!("{by} has {what} already; somebody else's word is needed"));
    }
    words.push(Word {
        by: by.to_owned(),
        comment: comment.to_owned(),
        at: cx.now,
    });
    let draft = Draft::new(task, "approved", cx);
    if words.len() < eyes as usize {
        let why = format!("approved by {by}; {} of {eyes} have", words.len());
        return Ok(heard(draft, &waits, words).why(why).done());
    }
    let report = words.iter().fold(waits.report.clone(), |report, word| {
        let receipt = receipt(word, &report);
        report.vouched(receipt)
    });
    let names: Vec<&str> = words.iter().map(|word| word.by.as_str()).collect();
    Ok(landing::accepted(draft, waits.claim, report, cx)
        .why(format!("approved by {}", names.join(" and ")))
        .done())
}

/// Why what was shown cannot be approved any more.
fn stale(task: &Task, waits: &Waiting<'_>, asked: &Asked, cx: &Context<'_>) -> Option<String> {
    let again = format!("`orchestrator resume {}` has it judged again", task.id);
    if cx.now > asked.until {
        let until = asked.until.format("%Y-%m-%d %H:%M UTC");
        return Some(format!("what was shown could be approved until {until}; {again}"));
    }
    let now = shown(&task.definition_hash, waits.reason, waits.report);
    (now != asked.shown).then(|| format!("the task was changed since it was shown; {again}"))
}

/// Whether what waits can only be judged again.
pub(super) fn is_stale(task: &Task, cx: &Context<'_>) -> bool {
    let State::Blocked {
        block:
            Block::Approval {
                reason,
                claim,
                report,
                asked: Some(asked),
            },
        ..
    } = &task.state
    else {
        return false;
    };
    let waits = Waiting {
        reason,
        claim,
        report,
        asked: Some(asked),
    };
    stale(task, &waits, asked, cx).is_some()
}

/// One has approved it, and others must.
fn heard<'a>(draft: Draft<'a>, waits: &Waiting<'_>, words: Vec<Word>) -> Draft<'a> {
    let since = draft.task.state.since();
    let asked = waits.asked.map(|asked| Asked {
        words,
        ..asked.clone()
    });
    let block = Block::Approval {
        reason: waits.reason.to_owned(),
        claim: waits.claim.clone(),
        report: Box::new(waits.report.clone()),
        asked,
    };
    draft.to(State::Blocked { since, block })
}

pub(super) fn reject(task: &Task, by: &str, comment: &str, cx: &Context<'_>) -> Result<Ruling, String> {
    let claim = waiting(task, by, cx)?.claim.clone();
    let reason = format!("rejected by {by}: {comment}");
    let mut draft = Draft::new(task, "rejected", cx);
    // What reviewer and worker did not agree about is settled.
    draft.task.history.reviews.clear();
    Ok(gate::refused(draft, &claim, None, &reason, cx).done())
}

fn receipt(word: &Word, report: &GateReport) -> Receipt {
    Receipt {
        name: format!("approval by {}", word.by),
        category: Category::Functionality,
        source: CheckSource::Person,
        directory: String::new(),
        commit: report.commit.clone(),
        command: "approve".to_owned(),
        exit_code: None,
        verdict: CheckVerdict::Passed,
        started_at: word.at,
        duration: std::time::Duration::ZERO,
        output_tail: word.comment.clone(),
        output_sha256: String::new(),
        trace: Trace::default(),
    }
}
