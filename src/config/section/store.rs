//! `[store]`: where the truth is kept.
//!
//! This version carries the embedded store; the addresses of others are refused by name.

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

/// The embedded one.
fn store_url() -> StoreUrl {
    StoreUrl { path: None }
}

impl Store {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            url: section.get("url", store_url),
        }
    }

    /// The database file of an instance.
    pub fn database(&self, layout: &Layout) -> PathBuf {
        match &self.url.path {
            Some(path) => layout.root().join(path),
            None => layout.database(),
        }
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
