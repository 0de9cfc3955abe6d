//! The server: how it is reached, how a connection is set up, and how often a lost one is tried again.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::{Instant, sleep, timeout};

use super::fault::{self, After};
use crate::config::section::{PostgresServer, StoreAddress};
use crate::store::error::StoreError;

/// The first wait before a lost connection is tried again; doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// A server and what every connection to it has.
#[derive(Debug, Clone)]
pub(super) struct Server {
    address: PostgresServer,
    options: PgConnectOptions,
    /// Its host and port, for messages.
    pub(super) place: String,
}

impl Server {
    /// The server of an address. Nothing is connected yet.
    pub(super) fn of(address: &PostgresServer, read_only: bool) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable {
            address: StoreAddress::Postgres(address.clone()),
            reason,
        };
        let url = address.url().map_err(|absent| unusable(absent.to_string()))?;
        let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| {
            unusable("its address is not postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned())
        })?;
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let limits = address.limits();
        let in_ms = |wait: Duration| wait.as_millis().to_string();
        let name = options
            .get_application_name()
            .unwrap_or("orchestrator")
            .to_owned();
        let options = options
            .application_name(&name)
            .options([
                ("statement_timeout", in_ms(limits.statement_timeout)),
                ("lock_timeout", in_ms(limits.lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    in_ms(limits.idle_in_transaction_timeout),
                ),
                (
                    "default_transaction_read_only",
                    if read_only { "on" } else { "off" }.to_owned(),
                ),
            ])
            .disable_statement_logging();
        Ok(Self {
            address: address.clone(),
            options,
            place,
        })
    }

    /// The server answers, and will not have us.
    pub(super) fn unusable(&self, reason: String) -> StoreError {
        StoreError::Unusable {
            address: self.address(),
            reason,
        }
    }

    pub(super) fn address(&self) -> StoreAddress {
        StoreAddress::Postgres(self.address.clone())
    }

    /// What an error of this server means.
    pub(super) fn told(&self, error: sqlx::Error) -> StoreError {
        fault::told(self, error)
    }

    /// One connection, in time or not at all.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        timeout(self.address.limits().connect_timeout, self.options.connect())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// One connection for writing, whose statements all go by keys. They are planned once, and for tables that are large: a plan that
    /// is made while a table is empty would read all of it for each row of a group ever after.
    pub(super) async fn connect_to_write(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options.clone().options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        timeout(self.address.limits().connect_timeout, options.connect())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// The longest that an answer of the server can take by its own limits.
    pub(super) fn longest(&self) -> Duration {
        let limits = self.address.limits();
        limits.connect_timeout + limits.statement_timeout.max(limits.lock_timeout)
    }

    /// A connection for whoever opens the store. A server that is just starting or restarting is waited for.
    pub(super) async fn first_connection(&self) -> Result<PgConnection, StoreError> {
        let mut patience = Patience::of(self.address.limits().connect_timeout);
        loop {
            let error = match self.connect().await {
                Ok(conn) => return Ok(conn),
                Err(error) => error,
            };
            if fault::after(&error) != After::Lost || !patience.once_more().await {
                return Err(self.told(error));
            }
        }
    }

    /// Two connections for what is said to other processes and heard of them.
    pub(super) fn side_pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(self.address.limits().connect_timeout)
            .connect_lazy_with(self.options.clone())
    }

    /// The connections for reading, made as they are needed.
    pub(super) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(self.address.limits().pool.get())
            .acquire_timeout(self.address.limits().connect_timeout)
            // A dead connection is found by its use, and the reading is tried again: no round trip before each.
            .test_before_acquire(false)
            .connect_lazy_with(self.options.clone())
    }
}

/// A server that a whole store is brought into.
pub(in crate::store) struct Target(PgConnection);

impl Target {
    pub(in crate::store) async fn connect(address: &PostgresServer) -> Result<Self, StoreError> {
        Ok(Self(Server::of(address, false)?.first_connection().await?))
    }

    /// Everything that is brought in, or nothing.
    pub(in crate::store) async fn begin(
        &mut self,
    ) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, sqlx::Error> {
        self.0.begin().await
    }
}

/// How long a lost connection is tried again, and with what waits.
pub(super) struct Patience {
    until: Instant,
    wait: Duration,
}

impl Patience {
    /// For `total` from now.
    pub(super) fn of(total: Duration) -> Self {
        Self {
            until: Instant::now() + total,
            wait: FIRST_WAIT,
        }
    }

    /// Waits before the next try; answers `false`, without waiting, when it is over.
    pub(super) async fn once_more(&mut self) -> bool {
        if Instant::now() + self.wait > self.until {
            return false;
        }
        sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }
}
