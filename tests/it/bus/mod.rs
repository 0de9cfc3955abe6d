//! The bus: one story for both implementations, and what only a server can do to its users.

mod alike;
mod live;
mod rights;
pub mod server;
mod signals;
mod story;
mod streams;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::bus::{Address, Bus, Envelope, Memory, Message, Rules, Standing, Valkey};
use orchestrator::clock::Clock;
use serde::{Deserialize, Serialize};

use self::server::Server;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the tests send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Order {
    number: u32,
}

impl Message for Order {
    const KIND: &'static str = "order";
    const VERSION: u32 = 2;
    const OLDEST: u32 = 1;
}

fn order(number: u32) -> Envelope {
    Envelope::seal(&Order { number }).unwrap()
}

fn number(message: &Envelope) -> u32 {
    message.open::<Order>().unwrap().number
}

/// Times short enough to be waited for.
fn rules() -> Rules {
    Rules {
        patience: Duration::from_millis(1000),
        probe_every: Duration::from_millis(100),
        claim_after: Duration::from_millis(300),
        most_deliveries: 3,
        ..Rules::default()
    }
}

fn memory(rules: Rules) -> Arc<dyn Bus> {
    Arc::new(Memory::new(rules, Clock::system()))
}

/// A bus of this namespace at a server.
fn at(url: &str, namespace: &str, rules: Rules) -> Arc<dyn Bus> {
    let address = Address::parse(url);
    Arc::new(Valkey::open(address, namespace, rules, Clock::system()))
}

/// The same, once it is up.
async fn up(url: &str, namespace: &str, rules: Rules) -> Arc<dyn Bus> {
    let bus = at(url, namespace, rules);
    until_up(&bus).await;
    bus
}

async fn until_up(bus: &Arc<dyn Bus>) {
    let mut standing = bus.standing();
    let up = tokio::time::timeout(PATIENCE, standing.wait_for(Standing::is_up)).await;
    assert!(matches!(up, Ok(Ok(_))), "not up: {bus:?}");
}

/// Why it is away, once it is.
async fn until_away(bus: &Arc<dyn Bus>) -> String {
    let mut standing = bus.standing();
    let away = tokio::time::timeout(PATIENCE, standing.wait_for(|s| !s.is_up())).await;
    match &*away.expect("not away in time").unwrap() {
        Standing::Away { why, .. } => why.clone(),
        Standing::Up { .. } => unreachable!(),
    }
}

/// Tries until it gives something.
async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A namespace that nobody else uses.
fn namespace() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

/// Runs a story on both implementations; on a server only where one is to be had.
async fn on_both(rules: Rules, story: impl AsyncFn(Arc<dyn Bus>)) {
    story(memory(rules.clone())).await;
    if let Some(server) = Server::shared() {
        story(up(&server.url, &namespace(), rules).await).await;
    }
}
