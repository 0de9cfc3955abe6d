//! What a failure of the server means for whoever asked.

use redis::{ErrorKind, RedisError};

use crate::bus::address::Address;
use crate::bus::error::BusError;

/// The server is there but of no use now: being loaded, a replica, cut off from its primary, busy, or it does not let us in.
/// Connecting anew finds it well, or its successor.
const AWAY: [&str; 10] = [
    "LOADING",
    "MASTERDOWN",
    "READONLY",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "BUSY",
    "NOAUTH",
    "WRONGPASS",
    "NOPROTO",
];

/// A failure in our own words, by what the caller can do.
pub(super) fn of(fault: &RedisError, address: &Address) -> BusError {
    let said = address.scrub(&fault.to_string());
    let said = said.split(" script: ").next().unwrap_or(&said).trim_end();
    let code = fault.code().unwrap_or_default();
    match fault.kind() {
        _ if code == "OOM" || said.contains("OOM command not allowed") => BusError::Full {
            what: "the server's memory".to_owned(),
            why: format!("{said}; raise maxmemory, or let those who are behind catch up"),
        },
        _ if code == "MISCONF" => BusError::Full {
            what: "the server's disk".to_owned(),
            why: said.to_owned(),
        },
        ErrorKind::AuthenticationFailed => BusError::away(format!(
            "{address} does not let us in: {said}; see the user and password in bus.url"
        )),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::RESP3NotSupported => {
            BusError::away(format!("{address}: {said}"))
        }
        _ if AWAY.contains(&code) => BusError::away(format!("{address}: {said}")),
        _ => BusError::refused(format!("{address}: {said}")),
    }
}

/// Whether a consumer group, or the stream that was waited on, is not there (any more): after FLUSHALL, or before the first use.
pub(super) fn is_without_group(fault: &RedisError) -> bool {
    matches!(fault.code(), Some("NOGROUP" | "UNBLOCKED"))
}
