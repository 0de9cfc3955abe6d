//! A random walk over both implementations at once: the same calls bring the same answers.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::bus::{Bus, Held, Parked, Rules, Seat, Taken};

use super::{Server, memory, namespace, number, order, rules, up};

const NOW: Duration = Duration::ZERO;
const STEPS: u32 = 300;

/// Numbers that depend on nothing but the seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// What was handed out, without the places, which differ.
fn told(taken: &Taken) -> (Vec<(u32, u32)>, Vec<Parked>) {
    let held = taken.held.iter().map(|h| (number(&h.message), h.deliveries));
    (held.collect(), taken.parked.clone())
}

async fn walk(seed: u64, buses: [Arc<dyn Bus>; 2]) {
    let mut dice = Dice(seed);
    // What each bus handed out at the same step, settled or not: late answers are part of it.
    let mut held: Vec<[Held; 2]> = Vec::new();
    for step in 0..STEPS {
        let at = format!("seed {seed}, step {step}");
        let [a, b] = &buses;
        match dice.throw(8) {
            0..3 => {
                let message = order(step);
                let (x, y) = tokio::join!(a.publish("s", &message), b.publish("s", &message));
                assert_eq!(x.is_ok(), y.is_ok(), "{at}: {x:?} {y:?}");
            }
            3..5 => {
                let group = ["g", "h"][dice.throw(2)];
                let consumer = ["a", "b", "c"][dice.throw(3)];
                let (seat, most) = (Seat::new("s", group, consumer), 1 + dice.throw(4));
                let (x, y) = tokio::join!(a.take(&seat, most, NOW), b.take(&seat, most, NOW));
                let (x, y) = (x.unwrap(), y.unwrap());
                assert_eq!(told(&x), told(&y), "{at}: {seat:?} {most}");
                held.extend(x.held.into_iter().zip(y.held).map(|(x, y)| [x, y]));
            }
            _ if held.is_empty() => {}
            act => {
                let [x, y] = &held[dice.throw(held.len())];
                let settled = match act {
                    5 => tokio::join!(a.ack(x), b.ack(y)),
                    6 => tokio::join!(a.nack(x, "why"), b.nack(y, "why")),
                    _ => tokio::join!(a.park(x, "why"), b.park(y, "why")),
                };
                assert_eq!(settled.0, settled.1, "{at}: {x:?}");
            }
        }
    }
    let [a, b] = &buses;
    let parked = (
        a.parked("s", 999).await.unwrap(),
        b.parked("s", 999).await.unwrap(),
    );
    assert_eq!(parked.0, parked.1, "seed {seed}");
    assert!(!parked.0.is_empty(), "a walk on which nothing was parked");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_answer_alike_whatever_is_asked() {
    let Some(server) = Server::shared() else {
        return;
    };
    // Either nothing may ever be claimed, or everything at once: no time decides.
    for claim_after in [Duration::from_secs(3600), Duration::ZERO] {
        for seed in 0..8 {
            let rules = Rules {
                claim_after,
                ..rules()
            };
            let there = up(&server.url, &namespace(), rules.clone()).await;
            walk(seed, [memory(rules), there]).await;
        }
    }
}
