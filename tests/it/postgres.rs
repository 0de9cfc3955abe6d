//! A PostgreSQL database of a test's own, on the server that `./test` names.

use orchestrator::config::section::{PostgresLimits, PostgresServer};
use orchestrator::store::StoreAddress;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

const SERVER: &str = "ORCHESTRATOR_TEST_DATABASE_URL";

/// Whether there is a server; says so where there is none, and fails where nothing may be skipped.
pub fn is_there() -> bool {
    named(SERVER).is_some()
}

/// The value of a variable that `./test` sets.
pub fn named(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{variable} is not set, and nothing may be skipped"
        );
        println!("skipped: {variable} is not set (scripts/servers.sh start prints it)");
    }
    value
}

/// A database that goes with its owner.
pub struct Database {
    pub name: String,
    server: PgConnectOptions,
    url: String,
}

impl Database {
    pub async fn create() -> Self {
        Self::create_on(&named(SERVER).unwrap()).await
    }

    /// On a server whose address names any of its databases.
    pub async fn create_on(server: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let options: PgConnectOptions = server.parse().unwrap();
        let mut conn = options.connect().await.unwrap();
        let sql = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut conn)
            .await
            .unwrap();
        let (start, query) = server.split_once('?').unwrap_or((server, ""));
        let (place, _) = start.rsplit_once('/').unwrap();
        let url = format!("{place}/{name}?{query}");
        Self {
            url: url.trim_end_matches('?').to_owned(),
            name,
            server: options,
        }
    }

    /// Its address with its password.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn address(&self) -> StoreAddress {
        address(&self.url)
    }

    /// A connection for raw SQL.
    pub async fn raw(&self) -> PgConnection {
        self.server.clone().database(&self.name).connect().await.unwrap()
    }
}

/// The address of a store on a server, with the limits that are the default.
pub fn address(url: &str) -> StoreAddress {
    StoreAddress::Postgres(PostgresServer::new(url.into(), PostgresLimits::default()))
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) = (
            self.server.clone(),
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
        let drop = async move {
            let Ok(mut conn) = server.connect().await else {
                return;
            };
            let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await;
        };
        // The test's own runtime may be on its way out.
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
        };
        let _ = std::thread::spawn(move || runtime().block_on(drop)).join();
    }
}
