//! What a task waits for, as facts: what, since when, until what, who must act.

use super::age;
use super::look::Look;
use crate::service::view::WaitingView;

/// The answers, in the order people ask.
pub(super) fn answers(waiting: &WaitingView, look: &Look) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("waits for", Some(what(waiting))),
        ("because", Some(waiting.why.clone())),
        ("since", Some(age::moment(look.now, waiting.since))),
        ("until", until(waiting, look)),
        ("who acts", Some(who(waiting))),
    ]
}

fn what(waiting: &WaitingView) -> String {
    let on = waiting.on.join(", ");
    match waiting.what.as_str() {
        "dependency" if !on.is_empty() => format!("the tasks it depends on: {on}"),
        "dependency" => "the tasks it depends on".to_owned(),
        "slot" => "a free worker slot".to_owned(),
        "budget" => "money: its budget is spent".to_owned(),
        "quota" => "its provider's quota".to_owned(),
        "retry" => "the time of its next attempt".to_owned(),
        "person" => "a person".to_owned(),
        "nothing" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}

fn until(waiting: &WaitingView, look: &Look) -> Option<String> {
    let known = waiting.until.map(|at| age::moment(look.now, at));
    known.or_else(|| match waiting.what.as_str() {
        "dependency" => Some("they are completed".to_owned()),
        "slot" => Some("a running task ends".to_owned()),
        "person" | "budget" => Some("a person decides".to_owned()),
        _ => None,
    })
}

fn who(waiting: &WaitingView) -> String {
    waiting
        .who
        .clone()
        .unwrap_or_else(|| match waiting.what.as_str() {
            "person" | "budget" => "a person".to_owned(),
            _ => "nobody; it goes on by itself".to_owned(),
        })
}
