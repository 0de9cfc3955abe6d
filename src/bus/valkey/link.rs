//! The one connection: calls that end in time, and what is known of the server.
//!
//! The client's own reconnecting manager is not used: it keeps a connection that has become silent (a frozen server, a
//! proxy that swallows), and holds its callers while it reconnects. Here a call that is not answered in time ends the
//! connection, calls fail at once while there is none, and the [`super::keeper`] makes the next one.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, ProtocolVersion, PushInfo, PushKind, RedisResult,
    ScriptInvocation, Value,
};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::fault;
use super::keys::Keys;
use crate::bus::address::Address;
use crate::bus::error::BusError;
use crate::bus::live::{Heard, Hub, Listener};
use crate::bus::message::Envelope;
use crate::bus::rules::Rules;
use crate::bus::standing::Standing;
use crate::clock::Clock;

/// Connections for waiting calls that are kept for the next one.
const SPARE: usize = 8;
/// Bytes that may wait to be written before callers wait.
const WRITE_BUFFER: usize = 256 * 1024;

/// The link to the server.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) rules: Rules,
    pub(super) keys: Keys,
    pub(super) hub: Hub,
    /// The connection was lost, or there is reason to doubt it.
    pub(super) doubt: Notify,
    /// Held while subscriptions change.
    pub(super) subscribing: tokio::sync::Mutex<()>,
    clock: Clock,
    standing: watch::Sender<Standing>,
    line: Mutex<Option<Line>>,
    spare: Mutex<Vec<MultiplexedConnection>>,
}

/// A connection, by its number.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) connection: MultiplexedConnection,
}

impl Link {
    pub(super) fn new(address: Address, namespace: &str, rules: Rules, clock: Clock) -> Self {
        let standing = Standing::Away {
            since: clock.now(),
            why: format!("{address} was not reached yet"),
        };
        Self {
            keys: Keys::new(namespace),
            hub: Hub::new(rules.listener_bound),
            doubt: Notify::new(),
            subscribing: tokio::sync::Mutex::default(),
            standing: watch::Sender::new(standing),
            line: Mutex::default(),
            spare: Mutex::default(),
            address,
            rules,
            clock,
        }
    }

    /// One command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BusError> {
        let mut line = self.line()?;
        self.answer(line.number, command.query_async(&mut line.connection))
            .await
    }

    /// One script.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, BusError> {
        let mut line = self.line()?;
        self.answer(line.number, call.invoke_async(&mut line.connection))
            .await
    }

    /// One command that itself waits at the server for up to `wait`: on a connection of its own, which ends with a caller that goes
    /// away. Nothing where the group or stream is not there.
    pub(super) async fn wait(&self, command: &Cmd, wait: Duration) -> Result<Value, BusError> {
        let number = self.line()?.number;
        let spare = lock(&self.spare).pop();
        let mut connection = match spare {
            Some(connection) => connection,
            None => self.connect(ProtocolVersion::RESP2, None).await?,
        };
        let answer = timeout(wait + self.rules.patience, command.query_async(&mut connection)).await;
        match answer {
            Ok(Ok(value)) => {
                let still = self.line().is_ok_and(|line| line.number == number);
                let mut spare = lock(&self.spare);
                if still && spare.len() < SPARE {
                    spare.push(connection);
                }
                Ok(value)
            }
            Ok(Err(error)) if fault::is_without_group(&error) => Ok(Value::Nil),
            Ok(Err(error)) => {
                self.doubt.notify_one();
                Err(fault::of(&error, &self.address))
            }
            Err(_) => {
                self.doubt.notify_one();
                Err(self.silent())
            }
        }
    }

    /// Listens on a channel, and subscribes to it where there is a server.
    pub(super) async fn listen(&self, channel: &str) -> Listener {
        let _changing = self.subscribing.lock().await;
        let (listener, first) = self.hub.listen(channel);
        if first && let Ok(mut line) = self.line() {
            let key = self.keys.channel(channel);
            // Where it failed the line is lost, and the next one subscribes to all that is wanted.
            if let Err(error) = self.answer(line.number, line.connection.subscribe(key)).await {
                tracing::debug!(%error, channel, "not subscribed yet");
            }
        }
        listener
    }

    /// Ends subscriptions that nobody here listens to any more.
    pub(super) async fn prune(&self) {
        let _changing = self.subscribing.lock().await;
        for channel in self.hub.prune() {
            let Ok(mut line) = self.line() else { return };
            let key = self.keys.channel(&channel);
            if let Err(error) = self.answer(line.number, line.connection.unsubscribe(key)).await {
                tracing::debug!(%error, channel, "still subscribed");
            }
        }
    }

    /// A new connection, on which `push` gets what the server says unasked.
    pub(super) async fn connect(
        &self,
        protocol: ProtocolVersion,
        push: Option<(Weak<Self>, u64)>,
    ) -> Result<MultiplexedConnection, BusError> {
        let patience = self.rules.patience;
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            // The limits of calls are our own.
            .set_response_timeout(None)
            .set_write_backpressure_boundary(WRITE_BUFFER);
        if let Some((link, number)) = push {
            config = config.set_push_sender(move |info| -> Result<(), redis::aio::SendError> {
                if let Some(link) = link.upgrade() {
                    link.pushed(number, info);
                }
                Ok(())
            });
        }
        let info = self
            .address
            .info
            .clone()
            .map_err(|bad| BusError::away(bad.to_string()))?;
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let opened = async {
            let client = Client::open(info.set_redis_settings(settings))?;
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        match timeout(patience, opened).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(fault::of(&error, &self.address)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Awaits an answer on a line; what shows that the server is of no use now ends that line.
    pub(super) async fn answer<T>(
        &self,
        number: u64,
        asked: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, BusError> {
        let error = match timeout(self.rules.patience, asked).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => fault::of(&error, &self.address),
            Err(_) => self.silent(),
        };
        if let BusError::Away { why } = &error {
            self.lose(number, why);
        }
        Err(error)
    }

    /// The present connection, or why there is none.
    pub(super) fn line(&self) -> Result<Line, BusError> {
        match (&*lock(&self.line), &*self.standing.borrow()) {
            (Some(line), _) => Ok(line.clone()),
            (None, Standing::Away { why, .. }) => Err(BusError::away(why.clone())),
            (None, Standing::Up { .. }) => Err(BusError::away("it is being connected")),
        }
    }

    /// A connection that was tried and found good becomes the line.
    pub(super) fn install(&self, line: Line) {
        *lock(&self.line) = Some(line);
        let since = self.clock.now();
        self.standing.send_replace(Standing::Up { since });
        self.hub.missed();
    }

    /// Ends a line, if it is still the present one.
    pub(super) fn lose(&self, number: u64, why: &str) {
        {
            let mut line = lock(&self.line);
            if line.as_ref().is_none_or(|l| l.number != number) {
                return;
            }
            *line = None;
        }
        lock(&self.spare).clear();
        self.away(why);
        self.doubt.notify_one();
    }

    /// Says why the server is away; the time since when it is stays.
    pub(super) fn away(&self, why: &str) {
        self.standing.send_if_modified(|standing| {
            let since = match standing {
                Standing::Away { why: before, .. } if before == why => return false,
                Standing::Away { since, .. } => *since,
                Standing::Up { .. } => {
                    tracing::warn!(why, "the bus is away; work goes on without it");
                    self.clock.now()
                }
            };
            let why = why.to_owned();
            *standing = Standing::Away { since, why };
            true
        });
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Ends the line and every listener.
    pub(super) fn close(&self) {
        lock(&self.line).take();
        lock(&self.spare).clear();
        self.away("it was closed");
        self.hub.close();
    }

    fn silent(&self) -> BusError {
        let (address, patience) = (&self.address, self.rules.patience);
        BusError::away(format!("{address} does not answer within {patience:?}"))
    }

    fn pushed(&self, number: u64, info: PushInfo) {
        match (info.kind, &info.data[..]) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(text)]) => {
                let channel = String::from_utf8_lossy(channel);
                if let Some(channel) = self.keys.channel_of(&channel) {
                    self.hub.pass(channel, heard(text));
                }
            }
            (PushKind::Disconnection, _) => {
                self.lose(number, &format!("{} closed the connection", self.address));
            }
            _ => {}
        }
    }
}

/// What cannot be read may have mattered.
fn heard(text: &[u8]) -> Heard {
    serde_json::from_slice::<Envelope>(text).map_or(Heard::Missed, Heard::Message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
