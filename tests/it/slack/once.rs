//! Whatever goes wrong in between, each message is told once, and in its order.

use chrono::{DateTime, Utc};
use orchestrator::chat::message::Place;
use orchestrator::chat::slack::Slack;
use orchestrator::chat::{Chat, ChatError};

use super::stand_in::world::Trouble;
use super::stand_in::{JANE, MAIN, Stage};
use super::{main, words};

/// Numbers that look drawn, the same each time (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn trouble(&mut self) -> Trouble {
        match self.below(5) {
            0 | 1 => Trouble::Lose,
            2 => Trouble::Refuse(502, Vec::new()),
            3 => Trouble::Refuse(429, vec![("retry-after", "1".to_owned())]),
            _ => Trouble::Say("fatal_error"),
        }
    }
}

/// As whoever tells does: again under the same key, until it is told.
async fn told(slack: &Slack, to: &Place, key: &str) -> String {
    let mut tried: Option<DateTime<Utc>> = None;
    for _ in 0..30 {
        let first = tried.unwrap_or_else(Utc::now);
        match slack.post(to, &words(key), key, tried).await {
            Ok(id) => return id,
            Err(ChatError::Limited { .. } | ChatError::Away { .. }) => tried = Some(first),
            Err(error) => panic!("{key}: {error}"),
        }
    }
    panic!("{key} was never told");
}

#[tokio::test]
async fn each_is_told_once_and_in_order() {
    let stage = Stage::set().await;
    stage.world().pace.off = true;
    let card = stage
        .slack()
        .post(&main(), &words("card"), "card", None)
        .await
        .unwrap();
    for seed in 0..6 {
        let mut draw = Draw(seed);
        let place = Place {
            room: MAIN.to_owned(),
            thread: (seed % 2 == 1).then(|| card.clone()),
        };
        let mut ids = Vec::new();
        let mut slack = stage.slack();
        for n in 0..25 {
            for _ in 0..draw.below(4) {
                let part = ["chat.postMessage", "conversations.", "chat.postMessage"][draw.below(3) as usize];
                let trouble = draw.trouble();
                stage.world().fail(part, trouble);
            }
            if draw.below(6) == 0 {
                // The service starts anew, and knows nothing but what it kept.
                slack = stage.slack();
            }
            stage.say(JANE, MAIN, "in between");
            ids.push(told(&slack, &place, &format!("{seed}-{n}")).await);
        }
        let world = stage.world();
        let key = |message: &serde_json::Value| {
            message["metadata"]["event_payload"]["key"]
                .as_str()
                .map(str::to_owned)
        };
        let start = format!("{seed}-");
        let all = world.ours(MAIN);
        let ours: Vec<_> = all
            .iter()
            .filter(|m| key(m).is_some_and(|key| key.starts_with(&start)))
            .collect();
        let keys: Vec<_> = ours.iter().filter_map(|message| key(message)).collect();
        let wanted: Vec<_> = (0..25).map(|n| format!("{seed}-{n}")).collect();
        assert_eq!(keys, wanted, "seed {seed}");
        let shown: Vec<_> = ours
            .iter()
            .map(|message| message["ts"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(shown, ids, "seed {seed}");
    }
}
