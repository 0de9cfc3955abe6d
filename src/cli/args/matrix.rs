//! Arguments of `matrix`: the account, rooms and people of a surface of that kind.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::domain::report::Surface;
use crate::format::duration;

/// `matrix`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Matrix {
    /// Log in once, sign the device and set up recovery
    Login(Login),
    /// Make the Space and the rooms that are missing, and invite who is
    Bootstrap(Of),
    /// Show whether the device is signed and recoverable; exit 4 where it is not
    Verify(Of),
    /// Make a registration token for somebody who has no account
    Invite(Invite),
}

/// Which surface.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Of {
    /// The surface ([chat.NAME]); unset: the only one of its kind
    #[arg(long, value_name = "NAME", value_parser = surface)]
    pub surface: Option<Surface>,
}

/// `matrix login`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Login {
    /// Which
    #[command(flatten)]
    pub of: Of,
    /// Replace the account's identity where its recovery key is lost; everybody who verified it is warned
    #[arg(long)]
    pub reset_identity: bool,
}

/// `matrix invite`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Invite {
    /// Which
    #[command(flatten)]
    pub of: Of,
    /// How many accounts it is good for
    #[arg(long, value_name = "N", default_value = "1")]
    pub uses: NonZeroU32,
    /// How long it is good for
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration::parse)]
    pub expires: Duration,
    /// A file with the access token of an administrator; unset: the bot's own account must be one
    #[arg(long, value_name = "FILE")]
    pub admin_token: Option<PathBuf>,
    /// The address of an Element that people open the link with
    #[arg(long, value_name = "URL", default_value = "https://app.element.io")]
    pub element: String,
}

fn surface(text: &str) -> Result<Surface, String> {
    Surface::parse(text)
        .ok_or_else(|| format!("use 1 to {} lower case letters, digits and '-'", Surface::LONGEST))
}
