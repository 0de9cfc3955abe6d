//! Arguments of `slack`: what people need to make the app.

use clap::{Args, Subcommand};

use crate::domain::report::Surface;

/// `slack`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Slack {
    /// The app's manifest: paste it at api.slack.com/apps, Create New App, From a manifest
    Manifest(Manifest),
}

/// `slack manifest`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Manifest {
    /// The surface ([chat.NAME]) that the app is for; needed where several are of Slack
    #[arg(long, value_name = "NAME", value_parser = surface)]
    pub surface: Option<Surface>,
    /// Where Slack reaches this service (https://HOST/chat/NAME); without it, the app speaks Socket Mode
    #[arg(long, value_name = "URL", value_parser = address)]
    pub url: Option<String>,
    /// What the app is called
    #[arg(long, value_name = "TEXT", default_value = "Orchestrator")]
    pub name: String,
}

fn surface(text: &str) -> Result<Surface, String> {
    Surface::parse(text).ok_or_else(|| "this is no name of a surface".to_owned())
}

fn address(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|_| "this is no address")?;
    match url.scheme() == "https" && url.host_str().is_some() {
        true => Ok(url.to_string()),
        false => Err("Slack calls addresses that begin with https:// alone".to_owned()),
    }
}
