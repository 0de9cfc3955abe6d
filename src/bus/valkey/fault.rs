//! What a failure of the server means for whoever asked.

use redis::{ErrorKind, RedisError};

use crate::bus::address::Address;
use crate::bus::error::BusError;

/// The server is there but of no use now: being loaded, a replica, cut off from its primary, busy, or it does not let us in.
/// Connecting anew finds it well, or its successor.
const AWAY: [&str; 7] = [
    "LOADING",
    "MASTERDOWN",
    "READONLY",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "BUSY",
];
/// It wants another user or password.
const CLOSED: [&str; 2] = ["NOAUTH", "WRONGPASS"];

/// A failure in our own words, by what the caller can do.
pub(super) fn of(fault: &RedisError, address: &Address) -> BusError {
    let code = fault.code().unwrap_or_default();
    let said = match fault.detail() {
        Some(detail) if !code.is_empty() => format!("{code} {detail}"),
        _ => fault.to_string(),
    };
    let said = address.scrub(&said);
    let said = said.split(" script: ").next().unwrap_or(&said).trim_end();
    match fault.kind() {
        _ if code == "OOM" => BusError::Full {
            what: "the server's memory".to_owned(),
            why: format!("{said}; raise maxmemory, or let those who are behind catch up"),
        },
        _ if code == "MISCONF" => BusError::Full {
            what: "the server's disk".to_owned(),
            why: said.to_owned(),
        },
        ErrorKind::AuthenticationFailed => closed(address, said),
        _ if CLOSED.contains(&code) => closed(address, said),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::RESP3NotSupported => {
            BusError::away(format!("{address}: {said}"))
        }
        _ if AWAY.contains(&code) => BusError::away(format!("{address}: {said}")),
        _ => BusError::refused(format!("{address}: {said}")),
    }
}

fn closed(address: &Address, said: &str) -> BusError {
    BusError::away(format!(
        "{address} does not let us in: {said}; see the user and password in bus.url"
    ))
}

/// Whether a consumer group, or the stream that was waited on, is not there (any more): after FLUSHALL, or before the first use.
pub(super) fn is_without_group(fault: &RedisError) -> bool {
    matches!(fault.code(), Some("NOGROUP" | "UNBLOCKED"))
}
