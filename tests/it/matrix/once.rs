//! What must hold of a room in which everything is told once and in order. Pure, and without any part of the program in it.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the program's store says was told, and what people asked.
pub struct Written<'a> {
    /// The account that tells.
    pub bot: &'a str,
    /// Reports, as task and key, in the order in which they were decided.
    pub reports: &'a [(String, String)],
    /// Cards, as task and message.
    pub cards: &'a [(String, String)],
    /// Events to each of which one answer belongs.
    pub asked: &'a [String],
}

/// What is wrong with a room as somebody reads it.
pub fn violations(written: &Written<'_>, seen: &[Value]) -> Vec<String> {
    let ours: Vec<&Value> = { seen.iter() }
        .filter(|event| event["sender"] == written.bot)
        .collect();
    let mut wrong: Vec<String> = { ours.iter() }
        .filter(|event| event["readable"] != true)
        .map(|event| format!("cannot be read: {}", event["event_id"]))
        .collect();
    let keys = keys(&ours);
    for (key, places) in &keys {
        if places.len() != 1 {
            wrong.push(format!("{key} is there {} times", places.len()));
        }
    }
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (task, key) in written.reports {
        let Some(place) = keys.get(key.as_str()).map(|places| places[0]) else {
            wrong.push(format!("{key} was not told"));
            continue;
        };
        if last.insert(task, place).is_some_and(|before| before > place) {
            wrong.push(format!("{key} was told before an earlier one of {task}"));
        }
    }
    wrong.extend(of_cards(written, &ours));
    for event in written.asked {
        let answers = keys.keys().filter(|key| key.contains(event.as_str())).count();
        if answers != 1 {
            wrong.push(format!("{event} was answered {answers} times"));
        }
    }
    wrong
}

/// The places of each key.
fn keys<'a>(ours: &[&'a Value]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, event) in ours.iter().enumerate() {
        if let Some(key) = event["content"]["org.orchestrator.key"].as_str() {
            keys.entry(key).or_default().push(place);
        }
    }
    keys
}

/// Each task has one card, the one that is written down.
fn of_cards(written: &Written<'_>, ours: &[&Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let posted = |event: &&&Value| {
        let key = event["content"]["org.orchestrator.key"].as_str();
        key.is_some_and(|key| key.starts_with("card"))
    };
    let posted: Vec<&str> = { ours.iter().filter(posted) }
        .filter_map(|event| event["event_id"].as_str())
        .collect();
    for (task, message) in written.cards {
        if !posted.contains(&message.as_str()) {
            wrong.push(format!("the card of {task} is not there"));
        }
    }
    if posted.len() > written.cards.len() {
        wrong.push(format!("{} cards of {} tasks", posted.len(), written.cards.len()));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(id: &str, key: &str) -> Value {
        json!({ "event_id": id, "sender": "@bot:h", "readable": true, "content": { "org.orchestrator.key": key } })
    }

    fn room() -> Vec<Value> {
        vec![
            event("$c", "card:t:1@home"),
            event("$1", "t:1@home"),
            event("$a", "answer:$q"),
            event("$2", "t:2@home"),
        ]
    }

    fn wrong(seen: &[Value]) -> Vec<String> {
        let both = |task: &str, what: &str| (task.to_owned(), what.to_owned());
        let written = Written {
            bot: "@bot:h",
            reports: &[both("t", "t:1@home"), both("t", "t:2@home")],
            cards: &[both("t", "$c")],
            asked: &["$q".to_owned()],
        };
        violations(&written, seen)
    }

    #[test]
    fn what_is_right_is_right() {
        assert_eq!(wrong(&room()), [""; 0]);
    }

    #[test]
    fn what_is_planted_is_found() {
        type Plant = fn(&mut Vec<Value>);
        let plants: [(&str, Plant); 7] = [
            ("t:1@home is there 2 times", |room| {
                room.push(event("$3", "t:1@home"));
            }),
            ("t:2@home was not told", |room| drop(room.pop())),
            ("t:2@home was told before an earlier one of t", |room| {
                room.swap(1, 3);
            }),
            ("2 cards of 1 tasks", |room| {
                room.push(event("$d", "card:t:2@home"))
            }),
            ("the card of t is not there", |room| drop(room.remove(0))),
            ("$q was answered 2 times", |room| {
                room.push(event("$b", "whisper:$q:1"));
            }),
            ("cannot be read: \"$1\"", |room| {
                room[1]["readable"] = json!(false)
            }),
        ];
        for (what, plant) in plants {
            let mut room = room();
            plant(&mut room);
            assert_eq!(wrong(&room), [what]);
        }
    }
}
