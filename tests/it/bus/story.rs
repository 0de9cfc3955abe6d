//! Journals and presence on both implementations.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::bus::{Bus, BusError, Entry, Envelope, Id, Journal, Rules};

use super::{number, on_both, order, rules, until};

const NOW: Duration = Duration::ZERO;

fn numbers(entries: &[Entry]) -> Vec<u32> {
    entries.iter().map(|entry| number(&entry.message)).collect()
}

async fn read(bus: &Arc<dyn Bus>, journal: &Journal, after: Option<Id>, most: usize) -> Vec<Entry> {
    bus.read(journal, after, most, NOW).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_read_in_batches_and_kept_until_every_reader_has_committed() {
    on_both(rules(), async |bus| {
        let journal = Journal::new("output", &["store", "archive"]);
        let batch: Vec<Envelope> = (0..10).map(order).collect();
        let last = bus.append(&journal, &batch).await.unwrap();
        let first = read(&bus, &journal, None, 4).await;
        assert_eq!(numbers(&first), [0, 1, 2, 3]);
        let second = read(&bus, &journal, Some(first[3].id), 99).await;
        assert_eq!(numbers(&second), [4, 5, 6, 7, 8, 9]);
        assert_eq!(second[5].id, last);
        // One reader alone frees nothing.
        bus.committed(&journal, "store", first[3].id).await.unwrap();
        assert_eq!(read(&bus, &journal, None, 99).await.len(), 10);
        bus.committed(&journal, "archive", first[1].id).await.unwrap();
        assert_eq!(numbers(&read(&bus, &journal, None, 2).await), [2, 3]);
        // Nor does one that says less than before.
        bus.committed(&journal, "archive", first[0].id).await.unwrap();
        let stands = bus.committed_by(&journal, "archive").await.unwrap();
        assert_eq!(stands, Some(first[1].id));
        bus.committed(&journal, "archive", last).await.unwrap();
        assert_eq!(numbers(&read(&bus, &journal, None, 99).await), [4, 5, 6, 7, 8, 9]);
        bus.committed(&journal, "store", last).await.unwrap();
        assert_eq!(read(&bus, &journal, None, 99).await, []);
        let next = bus.append(&journal, &[order(10)]).await.unwrap();
        assert!(next > last);
        assert_eq!(numbers(&read(&bus, &journal, Some(last), 99).await), [10]);
        let stranger = bus.committed(&journal, "stranger", next).await.unwrap_err();
        assert!(matches!(stranger, BusError::Refused { .. }), "{stranger}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_at_the_end_waits_for_what_comes() {
    on_both(rules(), async |bus| {
        let journal = Journal::new("output", &["store"]);
        let last = bus.append(&journal, &[order(1)]).await.unwrap();
        let (read, _) = tokio::join!(
            bus.read(&journal, Some(last), 9, Duration::from_secs(20)),
            async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                bus.append(&journal, &[order(2), order(3)]).await.unwrap()
            }
        );
        let read = read.unwrap();
        assert_eq!(number(&read[0].message), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_bounded_and_takes_all_of_a_batch_or_nothing() {
    let rules = Rules {
        journal_bound: 10,
        ..rules()
    };
    on_both(rules, async |bus| {
        let journal = Journal::new("output", &["store"]);
        let batch: Vec<Envelope> = (0..6).map(order).collect();
        let last = bus.append(&journal, &batch).await.unwrap();
        let full = bus.append(&journal, &batch).await.unwrap_err();
        assert!(matches!(full, BusError::Full { .. }), "{full}");
        assert_eq!(read(&bus, &journal, None, 99).await.len(), 6);
        bus.committed(&journal, "store", last).await.unwrap();
        bus.append(&journal, &batch).await.unwrap();
        assert!(bus.append(&journal, &[]).await.is_err(), "nothing has no place");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_present_is_listed_until_its_time_is_over() {
    on_both(rules(), async |bus| {
        let names = async || {
            let present = bus.present().await.unwrap();
            present
                .into_iter()
                .map(|(name, what)| (name, number(&what)))
                .collect::<Vec<_>>()
        };
        assert_eq!(names().await, []);
        let long = Duration::from_secs(60);
        bus.announce("b", &order(2), long).await.unwrap();
        bus.announce("a", &order(1), long).await.unwrap();
        bus.announce("c", &order(3), Duration::from_millis(300))
            .await
            .unwrap();
        assert_eq!(names().await, [("a".into(), 1), ("b".into(), 2), ("c".into(), 3)]);
        bus.announce("a", &order(9), long).await.unwrap();
        bus.withdraw("b").await.unwrap();
        until("c is over", async || {
            (names().await == [("a".to_owned(), 9)]).then_some(())
        })
        .await;
    })
    .await;
}
