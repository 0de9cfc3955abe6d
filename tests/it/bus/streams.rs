//! Streams on both implementations: every message ends acknowledged or parked, whoever dies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::bus::{Bus, BusError, Envelope, Parked, Rules, Seat, Settled, Taken, Taker};

use super::{Order, namespace, number, on_both, order, rules, until, up};

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(20);

fn seat(consumer: &str) -> Seat {
    Seat::new("dispatch", "workers", consumer)
}

async fn publish(bus: &Arc<dyn Bus>, numbers: impl IntoIterator<Item = u32>) {
    for n in numbers {
        bus.publish("dispatch", &order(n)).await.unwrap();
    }
}

fn numbers(taken: &Taken) -> Vec<u32> {
    taken.held.iter().map(|held| number(&held.message)).collect()
}

async fn take(bus: &Arc<dyn Bus>, consumer: &str, most: usize, wait: Duration) -> Taken {
    bus.take(&seat(consumer), most, wait).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_goes_to_one_consumer_in_order_and_acknowledged_never_again() {
    let rules = Rules {
        claim_after: Duration::from_millis(50),
        ..rules()
    };
    on_both(rules, async |bus| {
        publish(&bus, 0..5).await;
        let (a, b) = (take(&bus, "a", 3, NOW).await, take(&bus, "b", 3, NOW).await);
        assert_eq!((numbers(&a), numbers(&b)), (vec![0, 1, 2], vec![3, 4]));
        for held in a.held.iter().chain(&b.held) {
            assert_eq!(held.deliveries, 1);
            assert_eq!(bus.ack(held).await.unwrap(), Settled::Done);
            assert_eq!(bus.ack(held).await.unwrap(), Settled::NotHeld);
        }
        // Longer than the time after which they could be claimed.
        let wait = Duration::from_millis(200);
        assert_eq!(take(&bus, "c", 9, wait).await, Taken::default());
        bus.leave(&seat("a")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_consumer_gets_a_message_when_it_comes() {
    on_both(rules(), async |bus| {
        let waiting = async {
            let began = Instant::now();
            (take(&bus, "a", 1, LONG).await, began.elapsed())
        };
        let ((taken, waited), ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            publish(&bus, [7]).await;
        });
        assert_eq!(numbers(&taken), [7]);
        assert!(waited < LONG / 4, "{waited:?}");
        // And with nothing to come, not much longer than asked.
        let began = Instant::now();
        assert_eq!(
            take(&bus, "a", 1, Duration::from_millis(60)).await,
            Taken::default()
        );
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_goes_to_a_waiting_consumer_at_once_and_is_counted() {
    let rules = Rules {
        claim_after: LONG * 10,
        ..rules()
    };
    on_both(rules, async |bus| {
        publish(&bus, [1]).await;
        let first = take(&bus, "a", 1, NOW).await.held.remove(0);
        let (second, settled) = tokio::join!(take(&bus, "b", 1, LONG), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bus.nack(&first, "not mine").await.unwrap()
        });
        assert_eq!(settled, Settled::Back);
        let second = &second.held[0];
        assert_eq!((number(&second.message), second.deliveries), (1, 2));
        assert_eq!(bus.nack(&first, "again").await.unwrap(), Settled::NotHeld);
        assert_eq!(bus.nack(second, "nor mine").await.unwrap(), Settled::Back);
        let third = take(&bus, "a", 1, NOW).await.held.remove(0);
        assert_eq!(third.deliveries, 3);
        assert_eq!(bus.nack(&third, "nobody's").await.unwrap(), Settled::Parked);
        assert_eq!(take(&bus, "a", 1, NOW).await, Taken::default());
        let parked = bus.parked("dispatch", 9).await.unwrap();
        let expected = Parked {
            group: "workers".into(),
            consumer: "a".into(),
            deliveries: 3,
            why: "nobody's".into(),
            message: order(1),
        };
        assert_eq!(parked, [expected]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_consumer_that_died_is_claimed_and_the_late_answer_of_the_first_counts_no_more() {
    on_both(rules(), async |bus| {
        publish(&bus, [1]).await;
        let first = take(&bus, "a", 1, NOW).await.held.remove(0);
        assert_eq!(take(&bus, "b", 1, NOW).await, Taken::default(), "too early");
        let second = take(&bus, "b", 1, LONG).await.held.remove(0);
        assert_eq!((number(&second.message), second.deliveries), (1, 2));
        assert_eq!(bus.ack(&first).await.unwrap(), Settled::NotHeld);
        assert_eq!(bus.nack(&first, "late").await.unwrap(), Settled::NotHeld);
        assert_eq!(bus.park(&first, "late").await.unwrap(), Settled::NotHeld);
        assert_eq!(bus.ack(&second).await.unwrap(), Settled::Done);
        assert_eq!(take(&bus, "a", 1, NOW).await, Taken::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_after_so_many_deliveries_and_the_rest_goes_on() {
    on_both(rules(), async |bus| {
        publish(&bus, [13, 1]).await;
        let mut deliveries = Vec::new();
        let parked = until("parked", async || {
            // A consumer that dies of every 13, and so acknowledges none.
            let taken = take(&bus, "a", 1, Duration::from_millis(100)).await;
            for held in &taken.held {
                match number(&held.message) {
                    13 => deliveries.push(held.deliveries),
                    _ => assert_eq!(bus.ack(held).await.unwrap(), Settled::Done),
                }
            }
            taken.parked.into_iter().next()
        })
        .await;
        assert_eq!(deliveries, [1, 2, 3]);
        assert_eq!((number(&parked.message), parked.deliveries), (13, 3));
        assert!(parked.why.contains("acknowledged"), "{parked:?}");
        assert_eq!(bus.parked("dispatch", 9).await.unwrap(), [parked]);
        assert_eq!(bus.clear_parked("other").await.unwrap(), 0);
        assert_eq!(bus.clear_parked("dispatch").await.unwrap(), 1);
        assert_eq!(bus.parked("dispatch", 9).await.unwrap(), []);
        assert_eq!(
            take(&bus, "a", 9, Duration::from_millis(500)).await,
            Taken::default()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_versions_and_kinds_are_parked_and_never_dropped() {
    on_both(rules(), async |bus| {
        let odd = |kind: &str, version, body: &str| Envelope {
            kind: kind.into(),
            version,
            body: body.into(),
        };
        let all = [
            odd("order", 3, "{}"),
            odd("rumour", 2, "{}"),
            odd("order", 2, "{"),
            order(5),
        ];
        for message in &all {
            bus.publish("dispatch", message).await.unwrap();
        }
        let taker = Taker::<Order>::new(bus.clone(), seat("a"));
        let letters = taker.take(9, NOW).await.unwrap();
        assert_eq!(letters.parked.len(), 3);
        assert!(
            letters.parked[0].why.contains("version 3"),
            "{:?}",
            letters.parked
        );
        let kept = bus.parked("dispatch", 9).await.unwrap();
        let kept: Vec<&Envelope> = kept.iter().rev().map(|parked| &parked.message).collect();
        assert_eq!(kept, all[..3].iter().collect::<Vec<_>>());
        let [letter] = <[_; 1]>::try_from(letters.letters).unwrap();
        assert_eq!(letter.message, Order { number: 5 });
        assert_eq!(letter.ack().await.unwrap(), Settled::Done);
        assert!(taker.take(9, NOW).await.unwrap().letters.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_group_gets_every_message_and_what_one_gives_back_is_its_own() {
    on_both(rules(), async |bus| {
        let other = Seat::new("dispatch", "auditors", "z");
        publish(&bus, 0..3).await;
        assert_eq!(numbers(&bus.take(&other, 1, NOW).await.unwrap()), [0]);
        let taken = take(&bus, "a", 9, NOW).await;
        assert_eq!(numbers(&taken), [0, 1, 2]);
        assert_eq!(bus.nack(&taken.held[0], "again").await.unwrap(), Settled::Back);
        assert_eq!(bus.ack(&taken.held[1]).await.unwrap(), Settled::Done);
        assert_eq!(bus.ack(&taken.held[2]).await.unwrap(), Settled::Done);
        let rest = bus.take(&other, 9, NOW).await.unwrap();
        assert_eq!(numbers(&rest), [1, 2], "not what another group gave back");
        let again = take(&bus, "a", 9, NOW).await;
        assert_eq!(numbers(&again), [0]);
        assert_eq!(bus.ack(&again.held[0]).await.unwrap(), Settled::Done);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_bounded_and_takes_again_once_somebody_is_done() {
    let rules = Rules {
        stream_bound: 10,
        parked_bound: 4,
        ..rules()
    };
    on_both(rules, async |bus| {
        publish(&bus, 0..10).await;
        let full = bus.publish("dispatch", &order(10)).await.unwrap_err();
        assert!(matches!(full, BusError::Full { .. }), "{full}");
        assert!(full.to_string().contains("'dispatch' is full: 10 wait"), "{full}");
        let taken = take(&bus, "a", 9, NOW).await;
        assert_eq!(bus.ack(&taken.held[4]).await.unwrap(), Settled::Done);
        publish(&bus, [11]).await;
        assert!(bus.publish("dispatch", &order(12)).await.is_err());
        for held in taken.held.iter().filter(|held| number(&held.message) != 4) {
            assert_eq!(bus.park(held, "of no use").await.unwrap(), Settled::Parked);
        }
        publish(&bus, 20..28).await;
        let parked = bus.parked("dispatch", 3).await.unwrap();
        let parked: Vec<u32> = parked.iter().map(|parked| number(&parked.message)).collect();
        assert_eq!(parked, [8, 7, 6], "the newest first");
        let large = Envelope {
            body: "x".repeat(2 << 20),
            ..order(0)
        };
        let refused = bus.publish("dispatch", &large).await.unwrap_err();
        assert!(matches!(refused, BusError::Refused { .. }), "{refused}");
    })
    .await;
}

/// Works through a stream until `all` are acknowledged by all workers together, or until `dies_after` of its own.
async fn work(bus: Arc<dyn Bus>, name: String, dies_after: Option<usize>, all: u32, done: Arc<Ledger>) {
    let seat = seat(&name);
    let mut own = 0;
    while done.total() < all as usize {
        let taken = bus.take(&seat, 64, Duration::from_millis(200)).await.unwrap();
        assert!(taken.parked.is_empty(), "{:?}", taken.parked);
        for (n, held) in taken.held.iter().enumerate() {
            // Some are given back, and come again.
            if held.deliveries == 1 && number(&held.message).is_multiple_of(97) {
                let _back_or_claimed = bus.nack(held, "later").await.unwrap();
                continue;
            }
            if bus.ack(held).await.unwrap() == Settled::Done {
                done.note(number(&held.message));
                own += 1;
            }
            // In the middle of what it holds.
            if dies_after.is_some_and(|most| own >= most && n > 20) {
                return;
            }
        }
    }
}

#[derive(Default)]
struct Ledger(std::sync::Mutex<HashMap<u32, u32>>);

impl Ledger {
    fn note(&self, number: u32) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    fn total(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_none_is_lost_and_none_doubled_though_a_consumer_dies() {
    const ALL: u32 = 10_000;
    let rules = Rules {
        most_deliveries: 10,
        ..rules()
    };
    on_both(rules, async |bus| {
        let done = Arc::new(Ledger::default());
        let mut workers = tokio::task::JoinSet::new();
        for (name, dies_after) in [("a", None), ("b", Some(1500)), ("c", None)] {
            workers.spawn(work(bus.clone(), name.to_owned(), dies_after, ALL, done.clone()));
        }
        publish(&bus, 0..ALL).await;
        while let Some(ended) = workers.join_next().await {
            ended.unwrap();
        }
        let ledger = done.0.lock().unwrap().clone();
        assert_eq!(ledger.len(), ALL as usize, "lost");
        assert!(ledger.values().all(|times| *times == 1), "doubled");
        assert_eq!(bus.parked("dispatch", 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_on_one_server_do_not_meet() {
    let Some(server) = super::Server::shared() else {
        return;
    };
    let one = up(&server.url, &namespace(), rules()).await;
    let other = up(&server.url, &namespace(), rules()).await;
    publish(&one, [1]).await;
    assert_eq!(take(&other, "a", 1, NOW).await, Taken::default());
    assert_eq!(numbers(&take(&one, "a", 1, NOW).await), [1]);
}
