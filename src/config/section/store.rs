//! `[store]` and `[bus]`: where the truth is kept, and how processes of one fleet wake each other.
//!
//! This version carries the embedded store and the in-process bus; the addresses of others are refused by name.

use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::config::layout::Layout;
use crate::config::reader::Section;
use crate::config::setting::{Misfit, Setting};

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    url: StoreUrl,
}

/// The embedded database: in the instance, or at a path of its own (a local disk, where the instance is on a network).
#[derive(Debug, Clone, PartialEq, Eq)]
struct StoreUrl {
    path: Option<PathBuf>,
}

/// Where the truth is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// The embedded engine: a file.
    Sqlite(PathBuf),
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
        }
    }
}

/// `[bus]`: `memory`, the only one that one process needs.
#[derive(Debug, Clone)]
pub struct Bus {}

struct BusUrl;

/// The embedded one.
fn store_url() -> StoreUrl {
    StoreUrl { path: None }
}

/// The in-process one.
fn bus_url() -> BusUrl {
    BusUrl
}

impl Store {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            url: section.get("url", store_url),
        }
    }

    /// Where an instance keeps its truth.
    pub fn address(&self, layout: &Layout) -> StoreAddress {
        StoreAddress::Sqlite(match &self.url.path {
            Some(path) => layout.root().join(path),
            None => layout.database(),
        })
    }
}

impl Bus {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let BusUrl = section.get("url", bus_url);
        Self {}
    }
}

impl Setting for StoreUrl {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        match text.split_once(':') {
            None if text == "sqlite" => Ok(store_url()),
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with("//") => Ok(Self {
                path: Some(PathBuf::from(path)),
            }),
            Some(("postgres" | "postgresql", _)) => Err(Misfit {
                help: Some("use \"sqlite\"".to_owned()),
                ..Misfit::new("this version has no PostgreSQL store")
            }),
            _ => Err(Misfit::new("expected \"sqlite\" or \"sqlite:PATH\"")),
        }
    }
    fn show(&self) -> String {
        match &self.path {
            Some(path) => format!("sqlite:{}", path.display()),
            None => "sqlite".to_owned(),
        }
    }
}

impl Setting for BusUrl {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        match String::read(value)?
            .split_once(':')
            .map_or("memory", |(scheme, _)| scheme)
        {
            "memory" if value.as_str() == Some("memory") => Ok(Self),
            "redis" | "rediss" | "valkey" => Err(Misfit {
                help: Some("use \"memory\"".to_owned()),
                ..Misfit::new("this version has no Valkey bus")
            }),
            _ => Err(Misfit::new("expected \"memory\"")),
        }
    }
    fn show(&self) -> String {
        "memory".to_owned()
    }
}
