//! The PostgreSQL server that figures are taken on: the one that the tests use, or one of the figures' own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use orchestrator::config::section::{PostgresLimits, PostgresServer};
use orchestrator::store::StoreAddress;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

const VARIABLE: &str = "ORCHESTRATOR_TEST_DATABASE_URL";

/// A server on this machine.
pub struct Server {
    url: String,
    /// The folder of a server that was started for the figures, and ends with them.
    own: Option<tempfile::TempDir>,
}

impl Server {
    /// The one that the environment names, or else a new one; nothing, with a word of why, where neither can be had.
    pub fn find() -> Option<Self> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Some(Self { url, own: None });
        }
        match Self::start() {
            Ok(server) => Some(server),
            Err(error) => {
                eprintln!("left out: {VARIABLE} is not set, and no server starts: {error:#}");
                None
            }
        }
    }

    fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("figures-server-").tempdir()?;
        let said = Command::new(script())
            .arg("start")
            .arg(folder.path())
            .env_remove("DATABASE_URL")
            .output()?;
        let text = String::from_utf8_lossy(&said.stdout);
        let prefix = format!("export {VARIABLE}=");
        let url = text.lines().find_map(|line| line.strip_prefix(&prefix));
        let url = url
            .context(String::from_utf8_lossy(&said.stderr).into_owned())?
            .to_owned();
        Ok(Self {
            url,
            own: Some(folder),
        })
    }

    /// A new database.
    pub async fn database(&self) -> anyhow::Result<Database> {
        let name = format!("figures_{}", uuid::Uuid::new_v4().simple());
        let mut conn = self.url.parse::<PgConnectOptions>()?.connect().await?;
        run(&mut conn, &format!("CREATE DATABASE {name}")).await?;
        run(&mut conn, "CHECKPOINT").await?;
        let (place, _) = self.url.rsplit_once('/').context("no database is named")?;
        Ok(Database {
            url: format!("{place}/{name}"),
            server: self.url.clone(),
            name,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(folder) = &self.own {
            drop(Command::new(script()).arg("stop").arg(folder.path()).output());
        }
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/servers.sh")
}

/// A database of one run.
pub struct Database {
    /// Its address with its password.
    pub url: String,
    server: String,
    name: String,
}

impl Database {
    /// As the store takes it, with the limits that are the default.
    pub fn address(&self) -> StoreAddress {
        StoreAddress::Postgres(PostgresServer::new(
            self.url.clone().into(),
            PostgresLimits::default(),
        ))
    }

    /// A connection for raw SQL.
    pub async fn raw(&self) -> anyhow::Result<PgConnection> {
        Ok(self.url.parse::<PgConnectOptions>()?.connect().await?)
    }

    /// Ends it; on the way out of a failed run it stays.
    pub async fn remove(self) -> anyhow::Result<()> {
        let mut conn = self.server.parse::<PgConnectOptions>()?.connect().await?;
        run(&mut conn, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

/// Statements without an answer.
pub async fn run(conn: &mut PgConnection, sql: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await?;
    Ok(())
}

/// A number that a statement answers.
pub async fn number(conn: &mut PgConnection, sql: &str) -> anyhow::Result<f64> {
    Ok(sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(conn)
        .await?)
}

/// How far the server's log has been written, in bytes.
pub async fn log_written(conn: &mut PgConnection) -> anyhow::Result<f64> {
    number(
        conn,
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8",
    )
    .await
}

/// Processor time of the server so far, in seconds; nothing where it is not on this machine.
pub async fn server_time(conn: &mut PgConnection) -> anyhow::Result<f64> {
    let backend = number(conn, "SELECT pg_backend_pid()::float8").await? as u32;
    let keeper = stat(backend).context("the server is on another machine")?.parent;
    let all = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ticks: u64 = all
        .filter_map(|pid: u32| stat(pid).map(|stat| (pid, stat)))
        .filter(|(pid, stat)| *pid == keeper || stat.parent == keeper)
        .map(|(_, stat)| stat.ticks)
        .sum();
    Ok(ticks as f64 / 100.0)
}

/// Processor time of this program so far, in seconds.
pub fn own_time() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| stat.ticks as f64 / 100.0)
}

struct Stat {
    parent: u32,
    /// Hundredths of a second, those of ended children included.
    ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|f| f.parse::<u64>().ok());
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks.sum(),
    })
}
