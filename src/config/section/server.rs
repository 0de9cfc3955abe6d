//! `[server]`: where the service answers HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use crate::config::reader::Section;

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address.
    pub listen: SocketAddr,
}

/// This host alone.
fn listen() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 7878).into()
}

impl Server {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            listen: section.get("listen", listen),
        }
    }
}
