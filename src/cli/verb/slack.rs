//! `slack`: what people need to make the app. It calls nothing.

use super::super::args::slack::{Manifest, Slack};
use super::super::exit::{Exit, Failure, Outcome};
use super::ground::Ground;
use crate::chat::slack::manifest::{Way, manifest};
use crate::config::Config;
use crate::config::section::{ChatKind, Slack as Settings};
use crate::domain::report::Surface;

pub(super) fn slack(ground: &Ground, verb: Slack) -> Outcome {
    match verb {
        Slack::Manifest(args) => print_manifest(ground, &args),
    }
}

/// The same text with and without `--json`: it is JSON, as Slack takes it.
fn print_manifest(ground: &Ground, args: &Manifest) -> Outcome {
    let way = match &args.url {
        Some(url) => Way::Requests(url),
        None => {
            by_socket(ground, args)?;
            Way::Socket
        }
    };
    let made = manifest(&args.name, way);
    let text =
        serde_json::to_string_pretty(&made).map_err(|e| Failure::failed(format!("cannot print: {e}")))?;
    super::print(&format!("{text}\n"))
}

/// Without an address it must be a surface that a socket is opened for. The app is made before the surface is
/// configured as well: then there is none to look at.
fn by_socket(ground: &Ground, args: &Manifest) -> Result<(), Failure> {
    let Ok(home) = ground.home() else {
        return none_named(args);
    };
    let config = ground.config(&home)?.config;
    let Some((name, settings)) = chosen(&config, args.surface.as_ref())? else {
        return none_named(args);
    };
    match settings.app_token.is_some() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "chat.{name} has no app_token, so Slack must call this service"
        ))
        .help("say where, by --url https://HOST/chat/NAME, or write app_token for Socket Mode")),
    }
}

fn none_named(args: &Manifest) -> Result<(), Failure> {
    match &args.surface {
        None => Ok(()),
        Some(name) => Err(
            Failure::new(Exit::NotFound, format!("there is no surface {name} of Slack")).help(
                "`orchestrator config show` tells which there are; leave --surface out before there is one",
            ),
        ),
    }
}

fn chosen<'a>(
    config: &'a Config,
    wanted: Option<&Surface>,
) -> Result<Option<(&'a Surface, &'a Settings)>, Failure> {
    let mut all = config.chat.iter().filter_map(|(name, chat)| match &chat.kind {
        ChatKind::Slack(slack) if wanted.is_none_or(|wanted| wanted == name) => Some((name, slack.as_ref())),
        _ => None,
    });
    match (all.next(), all.next()) {
        (Some((one, _)), Some((other, _))) => Err(Failure::usage(format!(
            "several surfaces are of Slack: {one}, {other}"
        ))
        .help("say which one, by --surface NAME")),
        (one, _) => Ok(one),
    }
}
