//! `matrix`: the account, rooms and people of a surface of that kind.

use super::super::args::matrix::Matrix;
#[cfg(not(feature = "matrix"))]
use super::super::exit::Failure;
use super::super::exit::Outcome;
use super::ground::Ground;

/// What a program that was built without it says.
#[cfg(not(feature = "matrix"))]
pub(super) async fn matrix(_: &Ground, _: Matrix) -> Outcome {
    Err(Failure::usage("this program was built without Matrix")
        .help("build it with `cargo build --release --features matrix`, or take the container image"))
}

#[cfg(feature = "matrix")]
pub(super) async fn matrix(ground: &Ground, verb: Matrix) -> Outcome {
    built::matrix(ground, verb).await
}

#[cfg(feature = "matrix")]
mod built {
    use std::path::Path;
    use std::time::Duration;

    use chrono::TimeDelta;
    use secrecy::SecretString;
    use serde_json::json;

    use super::super::super::args::matrix::{Invite, Matrix as Verb, Of};
    use super::super::super::exit::{Exit, Failure, Outcome};
    use super::super::ground::Ground;
    use crate::chat::ChatError;
    use crate::chat::matrix::{Keys, Matrix, registration};
    use crate::config::section::{Chat, ChatKind, Matrix as Settings};
    use crate::domain::report::Surface;
    use crate::service::view::VERSION;

    /// A surface with what it needs.
    struct Account {
        surface: Surface,
        settings: Settings,
        timeout: Duration,
        projects: Vec<String>,
        matrix: Matrix,
    }

    pub(super) async fn matrix(ground: &Ground, verb: Verb) -> Outcome {
        ground.persons_alone()?;
        match verb {
            Verb::Login(login) => {
                let account = account(ground, &login.of)?;
                let keys = account.matrix.log_in(login.reset_identity).await;
                shown(ground, &account, &keys.map_err(failure)?)
            }
            Verb::Verify(of) => {
                let account = account(ground, &of)?;
                let keys = account.matrix.log_in(false).await.map_err(failure)?;
                shown(ground, &account, &keys)?;
                match keys.are_good() {
                    true => Ok(Exit::Done),
                    false => Ok(Exit::Refused),
                }
            }
            Verb::Bootstrap(of) => bootstrap(ground, &of).await,
            Verb::Invite(invite) => self::invite(ground, &invite).await,
        }
    }

    async fn bootstrap(ground: &Ground, of: &Of) -> Outcome {
        let account = account(ground, of)?;
        let rooms = account
            .matrix
            .bootstrap(&account.projects)
            .await
            .map_err(failure)?;
        let document = json!({ "version": VERSION, "surface": account.surface.as_str(), "rooms": &rooms });
        ground.show(&document, |_| {
            let lines = rooms
                .iter()
                .map(|room| format!("{}  {}\n", room.alias, room.name));
            lines.collect()
        })
    }

    async fn invite(ground: &Ground, invite: &Invite) -> Outcome {
        let account = account(ground, &invite.of)?;
        let token = match &invite.admin_token {
            Some(file) => read_token(file)?,
            None => { account.matrix.kept_token().map_err(failure)? }.ok_or_else(|| {
                Failure::refused("nobody is logged in")
                    .help("run `orchestrator matrix login`, or name --admin-token")
            })?,
        };
        let expires = TimeDelta::from_std(invite.expires).map(|time| ground.clock.now() + time);
        let expires = expires.map_err(|_| Failure::usage("--expires is too far away"))?;
        let homeserver = &account.settings.homeserver;
        let uses = Some(invite.uses.get());
        let made = registration::make(homeserver, &token, uses, Some(expires), account.timeout).await;
        let made = made.map_err(failure)?;
        let server = account
            .settings
            .user
            .split_once(':')
            .map_or("", |(_, server)| server);
        let link = format!("{}/#/register", invite.element.trim_end_matches('/'));
        let document = json!({ "version": VERSION, "surface": account.surface.as_str(), "registration": &made, "link": &link });
        ground.show(&document, |_| {
            format!(
                "{}\ngood for {} until {} UTC: open {link}, choose {server} as homeserver, and give this token when asked for one\n",
                made.token,
                super::super::super::render::text::count(invite.uses.get() as usize, "account"),
                expires.format("%Y-%m-%d %H:%M"),
            )
        })
    }

    fn read_token(file: &Path) -> Result<SecretString, Failure> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| Failure::usage(error.to_string()).at(file.display()))?;
        Ok(text.trim().into())
    }

    fn shown(ground: &Ground, account: &Account, keys: &Keys) -> Outcome {
        let document = json!({ "version": VERSION, "surface": account.surface.as_str(), "keys": keys, "good": keys.are_good() });
        ground.show(&document, |_| page(keys))
    }

    fn page(keys: &Keys) -> String {
        let yes = |good: bool| if good { "yes" } else { "NO" };
        format!(
            "account        {}\ndevice         {}\nfingerprint    {}\nsigned         {}\nprivate keys   {}\n\
             recoverable    {}\nbacked up      {}\nrecovery key   {}\n",
            keys.user,
            keys.device,
            keys.fingerprint,
            yes(keys.is_signed),
            yes(keys.has_private_keys),
            yes(keys.is_recoverable),
            yes(keys.is_backed_up),
            keys.recovery_key,
        )
    }

    fn account(ground: &Ground, of: &Of) -> Result<Account, Failure> {
        let home = ground.home()?;
        let loaded = ground.config(&home)?;
        ground.log(&loaded)?;
        let all = loaded.config.chat.iter();
        let kind = |(surface, chat): (&Surface, &Chat)| match &chat.kind {
            ChatKind::Matrix(settings) => Some((surface.clone(), settings.clone(), chat.clone())),
            _ => None,
        };
        let wanted = |surface: &Surface| of.surface.as_ref().is_none_or(|wanted| wanted == surface);
        let mut found: Vec<_> = { all.filter_map(kind) }
            .filter(|(surface, ..)| wanted(surface))
            .collect();
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|(surface, ..)| surface.to_string()).collect();
            return Err(Failure::usage("there are several surfaces of kind \"matrix\"")
                .help(format!("name one by --surface: {}", names.join(", "))));
        }
        let (surface, settings, chat) = found.pop().ok_or_else(|| {
            Failure::not_found("there is no such surface of kind \"matrix\"")
                .at("orchestrator.toml")
                .help("write [chat.NAME] with kind = \"matrix\"; docs/CHAT.md has an example")
        })?;
        let folder = home.layout().state().join("chat").join(surface.as_str());
        let matrix = Matrix::open(&settings, &chat.roles, folder, chat.timeout).map_err(Failure::usage)?;
        let projects = match chat.projects.is_empty() {
            true => loaded.config.projects.keys().cloned().collect(),
            false => chat.projects.clone(),
        };
        Ok(Account {
            surface,
            settings: *settings,
            timeout: chat.timeout,
            projects,
            matrix,
        })
    }

    fn failure(error: ChatError) -> Failure {
        match &error {
            ChatError::Away { .. } | ChatError::Limited { .. } => {
                Failure::new(Exit::Unreachable, error.to_string())
            }
            ChatError::Refused { .. } => Failure::refused(error.to_string()),
            ChatError::Gone { .. } => Failure::not_found(error.to_string()),
        }
    }
}
