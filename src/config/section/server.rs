//! `[server]`: where the service answers HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use toml::de::DeValue;

use crate::config::reader::Section;
use crate::config::setting::{Misfit, Setting};

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address; none: it does not answer at all.
    pub listen: Option<SocketAddr>,
    /// Whether the configuration names it. The default may be another program's: then the service goes on without.
    pub is_chosen: bool,
}

/// `server.listen`: an address, or nothing.
enum Listen {
    Off,
    At(SocketAddr),
}

/// This host alone.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7878);

impl Server {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let chosen = section.optional("listen");
        if chosen.is_none() {
            section.show_default("listen", &DEFAULT.to_string());
        }
        let is_chosen = chosen.is_some();
        Self {
            listen: match chosen {
                None => Some(DEFAULT),
                Some(Listen::At(address)) => Some(address),
                Some(Listen::Off) => None,
            },
            is_chosen,
        }
    }
}

impl Setting for Listen {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        match value.as_str() {
            Some("") => Ok(Self::Off),
            _ => SocketAddr::read(value).map(Self::At),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Off => String::new(),
            Self::At(address) => address.show(),
        }
    }
}
