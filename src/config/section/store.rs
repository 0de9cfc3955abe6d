//! `[store]`: where the truth is kept.
//!
//! It is the embedded one or a PostgreSQL server.

mod postgres;

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use toml::de::DeValue;

pub use self::postgres::{PostgresLimits, PostgresServer};
use crate::config::layout::Layout;
use crate::config::reader::Section;
use crate::config::setting::{Misfit, Setting};

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    place: Place,
}

/// `store.url` as it is written.
#[derive(Debug)]
enum StoreUrl {
    /// The embedded database: in the instance, or at a path of its own (a local disk, where the instance is on a network).
    Sqlite(Option<PathBuf>),
    /// An address, or a reference to one.
    Postgres(String),
}

/// `store.url` with its references resolved.
#[derive(Debug, Clone)]
enum Place {
    Sqlite(Option<PathBuf>),
    Postgres(PostgresServer),
}

/// Where the truth is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// The embedded engine: a file.
    Sqlite(PathBuf),
    /// A server of its own.
    Postgres(PostgresServer),
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}

/// The embedded one.
fn store_url() -> StoreUrl {
    StoreUrl::Sqlite(None)
}

impl Store {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let url = section.get("url", store_url);
        let limits = PostgresLimits::read(section);
        let place = match url {
            StoreUrl::Sqlite(path) => Place::Sqlite(path),
            StoreUrl::Postgres(text) => match section.resolve("url", &text) {
                Some(url) => Place::Postgres(PostgresServer::of(url, limits)),
                // A fault was told; nothing is opened after it.
                None => Place::Sqlite(None),
            },
        };
        Self { place }
    }

    /// The server's address with its password, where there is one.
    pub fn secret_url(&self) -> Option<&SecretString> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres(server) => server.url().ok(),
        }
    }

    /// Where an instance keeps its truth.
    pub fn address(&self, layout: &Layout) -> StoreAddress {
        match &self.place {
            Place::Sqlite(Some(path)) => StoreAddress::Sqlite(layout.root().join(path)),
            Place::Sqlite(None) => StoreAddress::Sqlite(layout.database()),
            Place::Postgres(server) => StoreAddress::Postgres(server.clone()),
        }
    }
}

impl Setting for StoreUrl {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        match text.split_once(':') {
            None if text == "sqlite" => Ok(store_url()),
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with("//") => {
                Ok(Self::Sqlite(Some(PathBuf::from(path))))
            }
            _ => postgres::read_url(value).map(Self::Postgres),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Sqlite(Some(path)) => format!("sqlite:{}", path.display()),
            Self::Sqlite(None) => "sqlite".to_owned(),
            Self::Postgres(text) => postgres::shown(text),
        }
    }
}
