//! `[chat.NAME]`: surfaces besides the console where people, or programs, are told of tasks, and who may steer there.

mod kind;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use chrono::NaiveTime;

pub use kind::{ChatKind, Matrix, Slack};

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::setting::words;
use crate::domain::report::{Report, Surface};
use crate::domain::role::{Role, Roles};
use crate::format::duration;

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
    /// When the digest of the day is told, in the scheduler's time zone; none where it is not.
    pub digest_at: Option<NaiveTime>,
    /// How often it is summed up what changed, at the most; none where it is not.
    pub summary_every: Option<Duration>,
    /// Who may do what there, by full user id.
    pub roles: Roles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KindName {
    Webhook,
    Slack,
    Matrix,
}

words!(KindName { "webhook" => Webhook, "slack" => Slack, "matrix" => Matrix });

/// All.
fn all() -> Vec<String> {
    Vec::new()
}

/// What most receivers take without asking for pauses.
fn per_minute() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(59)
}

/// Slack takes about 50 edits of one app.
fn per_minute_of_slack() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(44)
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
        let Some(name) = section.required("kind", "write kind = \"webhook\", \"slack\" or \"matrix\"") else {
            section.forgive_unknown_keys();
            return None;
        };
        let (kind, roles) = match name {
            KindName::Webhook => (kind::webhook(section), Roles::default()),
            KindName::Slack => (kind::slack(section), roles(section, |_, _| {})),
            KindName::Matrix => {
                let mut retention = BTreeMap::new();
                let roles = roles(section, |section, project| {
                    retention.extend(kind::retention(section).map(|time| (project.to_owned(), time)));
                });
                (kind::matrix(section, retention), roles)
            }
        };
        let projects = section.get("projects", all);
        let reports: Vec<String> = section.get("reports", all);
        check_reports(section, &reports);
        let per_minute = match name {
            KindName::Slack => section.get("per_minute", per_minute_of_slack),
            KindName::Webhook | KindName::Matrix => section.get("per_minute", per_minute),
        };
        let timeout = section.get_if("timeout", timeout, longer_than_zero);
        let (digest_at, summary_every) = match name {
            KindName::Webhook => (None, None),
            KindName::Slack | KindName::Matrix => (time_of_day(section), summary_every(section)),
        };
        Some(Self {
            kind: kind?,
            projects,
            reports,
            per_minute,
            timeout,
            digest_at,
            summary_every,
            roles,
        })
    }

    /// Whether it is told of this.
    pub fn wants(&self, project: &str, report: &Report) -> bool {
        self.shows(project)
            && (self.reports.is_empty() || self.reports.iter().any(|one| one == report.word()))
    }

    /// Whether it is told of anything of this project.
    pub fn shows(&self, project: &str) -> bool {
        self.projects.is_empty() || self.projects.iter().any(|one| one == project)
    }
}

/// `digest_at`: a time such as `08:00`, or `never`.
fn time_of_day(section: &mut Section<'_, '_>) -> Option<NaiveTime> {
    let text = section.get("digest_at", || "08:00".to_owned());
    if text == "never" {
        return None;
    }
    let time = NaiveTime::parse_from_str(&text, "%H:%M").ok();
    if time.is_none() {
        let at = section.origin_of("digest_at");
        let help = "write \"08:00\", or \"never\"".to_owned();
        section.fault(at, "this is no time of day", Some(help));
    }
    time
}

/// `summary_every`: a duration such as `10m`, or `never`.
fn summary_every(section: &mut Section<'_, '_>) -> Option<Duration> {
    let text = section.get("summary_every", || "10m".to_owned());
    if text == "never" {
        return None;
    }
    let every = duration::parse(&text).ok().filter(|every| !every.is_zero());
    if every.is_none() {
        let at = section.origin_of("summary_every");
        let help = "write \"10m\", or \"never\"".to_owned();
        section.fault(at, "this is no time between two summaries", Some(help));
    }
    every
}

/// Everywhere, and in `[chat.NAME.project.PROJECT]`, where `besides` reads what else there is of a kind.
fn roles(section: &mut Section<'_, '_>, mut besides: impl FnMut(&mut Section<'_, '_>, &str)) -> Roles {
    let mut roles = Roles::default();
    give(section, None, &mut roles);
    for (project, _) in section.names("project") {
        section.named("project", &project, |section| {
            give(section, Some(&project), &mut roles);
            besides(section, &project);
        });
    }
    roles
}

fn give(section: &mut Section<'_, '_>, project: Option<&str>, roles: &mut Roles) {
    let keys = [
        ("owners", Role::Owner),
        ("operators", Role::Operator),
        ("viewers", Role::Viewer),
    ];
    for (key, role) in keys {
        for id in section.get(key, all) {
            roles.give(project, &id, role);
        }
    }
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
