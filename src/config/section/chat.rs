//! `[chat.NAME]`: surfaces besides the console where people, or programs, are told of tasks.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::setting::words;
use crate::domain::report::{Report, Surface};

/// A surface.
#[derive(Debug, Clone)]
pub struct Chat {
    /// What it is, with the settings of its kind.
    pub kind: ChatKind,
    /// Of which projects it is told; empty: of all.
    pub projects: Vec<String>,
    /// Of which kinds of report it is told, by their words; empty: of all.
    pub reports: Vec<String>,
    /// The most messages a minute.
    pub per_minute: NonZeroU32,
    /// How long one answer is waited for.
    pub timeout: Duration,
}

/// The kinds of surface.
#[derive(Debug, Clone)]
pub enum ChatKind {
    /// Signed HTTP requests.
    Webhook {
        /// Where they go.
        url: String,
        /// What they are signed with.
        secret: Secret,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KindName {
    Webhook,
}

words!(KindName { "webhook" => Webhook });

/// All.
fn all() -> Vec<String> {
    Vec::new()
}

/// What most receivers take without asking for pauses.
fn per_minute() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(59)
}

/// Longer than an honest receiver needs.
fn timeout() -> Duration {
    Duration::from_secs(10)
}

impl Chat {
    /// Reads `[chat.*]`.
    pub(in crate::config) fn read_all(root: &mut Section<'_, '_>) -> BTreeMap<Surface, Self> {
        let mut all = BTreeMap::new();
        for (name, at) in root.names("chat") {
            let chat = root.named("chat", &name, Self::read);
            match Surface::parse(&name) {
                Some(surface) => all.extend(chat.map(|chat| (surface, chat))),
                None => root.fault(
                    at,
                    format!("chat.{}: this is no name of a surface", name.escape_debug()),
                    Some(format!(
                        "use 1 to {} lower case letters, digits and '-'",
                        Surface::LONGEST
                    )),
                ),
            }
        }
        all
    }

    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let kind: Option<KindName> = section.required("kind", "write kind = \"webhook\"");
        let Some(KindName::Webhook) = kind else {
            section.forgive_unknown_keys();
            return None;
        };
        let url: Option<String> = section.required("url", "write the address that is to be called");
        let url = url.filter(|url| check_url(section, url));
        let secret = section.secret("secret", None);
        if secret.is_none() {
            let at = section.origin();
            let help = "requests are signed with it: secret = \"${WEBHOOK_SECRET}\"".to_owned();
            section.fault(at, "its secret is missing", Some(help));
        }
        let projects = section.get("projects", all);
        let reports: Vec<String> = section.get("reports", all);
        check_reports(section, &reports);
        let per_minute = section.get("per_minute", per_minute);
        let timeout = section.get_if("timeout", timeout, longer_than_zero);
        Some(Self {
            kind: ChatKind::Webhook {
                url: url?,
                secret: secret?,
            },
            projects,
            reports,
            per_minute,
            timeout,
        })
    }

    /// Whether it is told of this.
    pub fn wants(&self, project: &str, report: &Report) -> bool {
        let has = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        has(&self.projects, project) && has(&self.reports, report.word())
    }
}

fn check_url(section: &mut Section<'_, '_>, url: &str) -> bool {
    let good = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !good {
        let at = section.origin_of("url");
        let help = "write \"https://HOST/PATH\"".to_owned();
        section.fault(at, "this is no address that can be called", Some(help));
    }
    good
}

fn check_reports(section: &mut Section<'_, '_>, words: &[String]) {
    for (place, word) in words.iter().enumerate() {
        if !Report::WORDS.contains(&word.as_str()) {
            let at = section.origin_of_item("reports", place);
            let help = format!("there are {}", Report::WORDS.join(", "));
            section.fault(
                at,
                format!("'{}' is no kind of report", word.escape_debug()),
                Some(help),
            );
        }
    }
}
