//! A look at a server for `doctor`: is it there, does it let us write, and is it set up for what is kept in it.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client};
use tokio::time::timeout;

use super::fault;
use crate::bus::address::Address;
use crate::bus::error::BusError;

/// The oldest server: before it, failures within a script do not tell their code.
const OLDEST: (u32, u32) = (7, 0);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// Where it is.
    pub server: String,
    /// What it is, for example `valkey 9.1.2`.
    pub version: String,
    /// Whether what it holds survives its restart; `true` where it does not say.
    pub durable: bool,
    /// What works less well than it could, each with what to do.
    pub remarks: Vec<(String, &'static str)>,
}

impl Checkup {
    /// Looks at a server, for as long as `patience` at most.
    ///
    /// # Errors
    /// Where it cannot be used at all.
    pub async fn of(address: &Address, patience: Duration) -> Result<Self, BusError> {
        match timeout(patience, look(address)).await {
            Ok(found) => found,
            Err(_) => Err(BusError::away(format!(
                "{address} does not answer within {patience:?}"
            ))),
        }
    }
}

async fn look(address: &Address) -> Result<Checkup, BusError> {
    let fault = |error: redis::RedisError| fault::of(&error, address);
    let info = address
        .info
        .clone()
        .map_err(|bad| BusError::away(bad.to_string()))?;
    let client = Client::open(info).map_err(fault)?;
    let config = AsyncConnectionConfig::new();
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(fault)?;
    let told: Result<String, _> = redis::cmd("INFO").query_async(&mut connection).await;
    match told.map_err(fault) {
        Ok(text) => read(address, &text),
        // A user that may not ask that may still do all that is needed.
        Err(BusError::Refused { .. }) => {
            let () = redis::cmd("PING")
                .query_async(&mut connection)
                .await
                .map_err(fault)?;
            Ok(Checkup {
                server: address.to_string(),
                version: "a server that does not say what it is".to_owned(),
                durable: true,
                remarks: Vec::new(),
            })
        }
        Err(error) => Err(error),
    }
}

fn read(address: &Address, text: &str) -> Result<Checkup, BusError> {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| *key == name);
        found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let number = |name: &str| value(name).parse::<u64>().unwrap_or(0);
    let (name, version) = match value("valkey_version") {
        none if none.is_empty() => ("redis", value("redis_version")),
        valkey => ("valkey", valkey),
    };
    if numbers(&version) < OLDEST {
        let (major, minor) = OLDEST;
        return Err(BusError::refused(format!(
            "{address} is {name} {version}; at least Redis {major}.{minor} or any Valkey is needed"
        )));
    }
    if value("role") == "slave" {
        return Err(BusError::away(format!(
            "{address} is a replica: name its primary in bus.url"
        )));
    }
    let mut remarks = Vec::new();
    let policy = value("maxmemory_policy");
    if number("maxmemory") > 0 && policy != "noeviction" && !policy.is_empty() {
        remarks.push((
            format!("it drops keys when its memory is full (maxmemory-policy {policy})"),
            "set maxmemory-policy noeviction: dropped streams are lost messages",
        ));
    }
    if number("maxmemory") > 0 && number("used_memory") * 10 > number("maxmemory") * 9 {
        remarks.push((
            "more than nine tenths of its memory are used".to_owned(),
            "raise maxmemory, or see who does not read (XINFO GROUPS)",
        ));
    }
    Ok(Checkup {
        server: address.to_string(),
        version: format!("{name} {version}"),
        durable: number("aof_enabled") == 1,
        remarks,
    })
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "redis_version:7.2.4\r\nvalkey_version:9.1.2\r\nrole:master\r\nmaxmemory:0\r\naof_enabled:1\r\n";

    fn found(text: &str) -> Result<Checkup, BusError> {
        read(&Address::parse("redis://h"), text)
    }

    #[test]
    fn a_good_server_has_no_remarks() {
        let good = found(GOOD).unwrap();
        assert_eq!((good.version.as_str(), good.remarks.len()), ("valkey 9.1.2", 0));
        assert!(good.durable && !found(&GOOD.replace("enabled:1", "enabled:0")).unwrap().durable);
    }

    #[test]
    fn what_loses_messages_is_remarked_and_what_cannot_be_used_refused() {
        let full = GOOD.replace(
            "maxmemory:0",
            "maxmemory:100\r\nused_memory:95\r\nmaxmemory_policy:allkeys-lru",
        );
        let remarks = found(&full).unwrap().remarks;
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(found(&GOOD.replace("master", "slave")).is_err());
        assert!(found("redis_version:6.2.9\r\nrole:master").is_err());
        assert!(found("redis_version:10.0.0\r\nrole:master\r\naof_enabled:1").is_ok());
    }
}
