//! What an error of the server or of the way to it means, by what the caller will do about it.

use sqlx::postgres::PgDatabaseError;

use super::server::Server;
use crate::store::error::StoreError;

/// What becomes of a connection after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It is gone, or of no use: connect again.
    Lost,
    /// It is there; another try of the whole transaction may go through.
    Again,
    /// It is there, and another try ends the same way.
    Same,
}

/// What is to be done after an error.
pub(super) fn after(error: &sqlx::Error) -> After {
    match code(error) {
        // https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions; too many connections; ended by an
        // administrator, by a crash, or not up yet; a transaction that stood still.
        Some("53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03") => After::Lost,
        Some(code) if code.starts_with("08") => After::Lost,
        // A serialization failure, a deadlock.
        Some("40001" | "40P01") => After::Again,
        Some(_) => After::Same,
        None if untrusted(error).is_some() => After::Same,
        None => match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::BeginFailed => After::Lost,
            _ => After::Same,
        },
    }
}

/// Why the way to the server is not as safe as the address asks for: time does not mend that.
fn untrusted(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Tls(why) => Some(format!("a safe connection cannot be had: {why}")),
        // What the handshake finds wrong with the certificate comes as data that is not valid.
        sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => Some(format!(
            "its certificate is not accepted: {why}; `sslrootcert=PATH` in the address names the authority that signed it, and \
             the host in the address must be the certificate's"
        )),
        _ => None,
    }
}

/// Whether a rule of the schema refused something.
pub(super) fn is_a_rule(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("23"))
}

fn code(error: &sqlx::Error) -> Option<&str> {
    let db = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(db.code())
}

/// The error as the port tells it.
pub(super) fn told(server: &Server, error: sqlx::Error) -> StoreError {
    if after(&error) == After::Lost {
        return StoreError::Unavailable {
            host: server.place.clone(),
            reason: reason(&error),
        };
    }
    let Some(code) = code(&error) else {
        return untrusted(&error).map_or_else(|| error.into(), |why| server.unusable(why));
    };
    let reason = reason(&error);
    match code {
        // Out of disk or memory; out of locks.
        "53100" => StoreError::Full,
        // A lock or a statement took too long; a deadlock.
        "55P03" | "57014" | "40001" | "40P01" => StoreError::Busy,
        "25006" => StoreError::ReadOnly,
        // Damaged pages and indexes.
        "XX001" | "XX002" | "58P01" => StoreError::Damaged { reason },
        // Who we are, and which database.
        "28000" | "28P01" | "3D000" | "42501" => server.unusable(reason),
        // Values that do not fit; rules of the schema.
        code if code.starts_with("22") || code.starts_with("23") => StoreError::Refused { rule: reason },
        _ => error.into(),
    }
}

/// What the server or the system says.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "no connection in time".to_owned(),
        sqlx::Error::Database(db) => db.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
