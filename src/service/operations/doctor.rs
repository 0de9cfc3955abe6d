//! A self-examination: what the instance needs, whether it is there, and what to do where it is not.

mod kept;
mod review;

use super::super::containment::Containment;
use super::super::instance::Instance;
use super::super::reading;
use crate::files::{Watch, lock};
use crate::sandbox::{Probed, Tier};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Good,
    /// It works, but not as well as it could.
    Warning,
    /// Something will not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub cure: Option<String>,
}

impl Finding {
    pub(super) fn good(name: &str, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            level: Level::Good,
            detail: detail.into(),
            cure: None,
        }
    }

    pub(super) fn of(name: &str, level: Level, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            level,
            detail: detail.into(),
            cure: Some(cure.into()),
        }
    }
}

/// Looks at everything.
pub async fn doctor(instance: &Instance) -> Vec<Finding> {
    instance.fleet.probe().await;
    let mut findings = vec![
        git(instance).await,
        service(instance),
        queue(instance).await,
        watch(instance),
    ];
    findings.extend(super::bus::findings(instance).await);
    findings.extend(super::surface::findings(instance).await);
    findings.extend(runtimes(instance));
    findings.extend(tiers(instance));
    findings.extend(containment(instance).await);
    findings.extend(medic(instance));
    findings.extend(review::review(instance));
    findings.extend(restored(instance).await);
    findings.push(kept::kept(instance).await);
    findings
}

/// What holds everything back after a restore.
async fn restored(instance: &Instance) -> Option<Finding> {
    let held = super::restore::held(instance).await.ok().flatten()?;
    let made = held.made_at.format("%Y-%m-%dT%H:%M:%SZ");
    let detail = format!(
        "restored from {} of {made}, with {} divergences; everything is held",
        held.backup, held.divergences
    );
    let cure = "read `orchestrator restore --check`, then `orchestrator start`";
    Some(Finding::of("restore", Level::Warning, detail, cure))
}

/// A medic that is wanted and not there.
fn medic(instance: &Instance) -> Option<Finding> {
    let missing = instance.config.policy.medic && !instance.policy.medic;
    let cure = "`orchestrator init` writes one, or set policy.medic = false";
    missing.then(|| {
        Finding::of(
            "medic",
            Level::Warning,
            "there is no agents/medic.md, so it has no turn",
            cure,
        )
    })
}

async fn git(instance: &Instance) -> Finding {
    match instance.workspaces.git_version().await {
        Ok(version) => Finding::good("git", version),
        Err(error) => Finding::of("git", Level::Bad, error.to_string(), "install git 2.38 or newer"),
    }
}

fn service(instance: &Instance) -> Finding {
    match lock::holder(&instance.layout.lock()) {
        Ok(Some(pid)) => Finding::good(
            "service",
            pid.map_or_else(|| "runs".to_owned(), |pid| format!("runs as process {pid}")),
        ),
        Ok(None) => Finding::of(
            "service",
            Level::Warning,
            "does not run",
            "start it with `orchestrator up`",
        ),
        Err(error) => Finding::of(
            "service",
            Level::Bad,
            error.to_string(),
            "see the file that it names",
        ),
    }
}

async fn queue(instance: &Instance) -> Finding {
    match reading::load(instance).await {
        Ok(Ok(loaded)) => {
            let errors = loaded.reading.problems.iter().filter(|p| p.is_error()).count();
            let detail = format!("{} tasks, {errors} errors", loaded.reading.tasks.len());
            if errors == 0 {
                Finding::good("queue file", detail)
            } else {
                Finding::of("queue file", Level::Warning, detail, "see `orchestrator lint`")
            }
        }
        Ok(Err(error)) => Finding::of("queue file", Level::Bad, error.to_string(), "repair the file"),
        Err(error) => Finding::of(
            "store",
            Level::Bad,
            error.to_string(),
            "see `orchestrator migrate --check`",
        ),
    }
}

fn watch(instance: &Instance) -> Finding {
    match Watch::start(&instance.layout).degraded() {
        None => Finding::good("file watch", "edits are seen at once"),
        Some(why) => Finding::of(
            "file watch",
            Level::Warning,
            why,
            "edits are seen within two seconds; raise fs.inotify.max_user_watches to see them at once",
        ),
    }
}

fn runtimes(instance: &Instance) -> Vec<Finding> {
    let finding = |r: super::super::fleet::Report| {
        let name = format!("runtime {}", r.name);
        match r.standing {
            Ok(found) => Finding::good(&name, format!("{}, {}", r.kind, found.version)),
            Err(missing) => Finding::of(&name, Level::Warning, missing.reason, missing.cure),
        }
    };
    instance
        .fleet
        .report()
        .into_iter()
        .filter(|r| r.wanted)
        .map(finding)
        .collect()
}

/// Whether the cells that runtimes ask for can be had, and which runtimes are in none.
async fn containment(instance: &Instance) -> Vec<Finding> {
    let wanted = instance.fleet.report().into_iter().filter(|r| r.wanted);
    let names: Vec<String> = wanted.map(|r| r.name).collect();
    let contained = &instance.containment;
    let mut tiers: Vec<Tier> = names.iter().map(|name| contained.tier(name)).collect();
    tiers.sort();
    tiers.dedup();
    let mut findings = Vec::new();
    for tier in tiers {
        match contained.rehearse(tier).await {
            Ok(Some(probed)) => findings.push(Finding::good("containment", held(tier, &probed))),
            Ok(None) => findings.push(uncontained(&names, contained)),
            Err(refused) => findings.push(Finding::of(
                "containment",
                Level::Bad,
                refused.reason,
                refused.cure,
            )),
        }
    }
    findings
}

fn held(tier: Tier, probed: &Probed) -> String {
    let mut text = format!("{tier}, by {}; tried: {}", probed.by, probed.tried.join(", "));
    for gap in &probed.gaps {
        text.push_str("; ");
        text.push_str(gap);
    }
    text
}

fn uncontained(names: &[String], containment: &Containment) -> Finding {
    let bare = names.iter().filter(|name| containment.tier(name) == Tier::None);
    let bare: Vec<&str> = bare.map(String::as_str).collect();
    Finding::of(
        "containment",
        Level::Warning,
        format!(
            "none for {}: its workers can do whatever this user can",
            bare.join(", ")
        ),
        "set containment = \"sandbox\" in the runtime's section",
    )
}

/// A tier without any usable runtime runs nothing.
fn tiers(instance: &Instance) -> Vec<Finding> {
    let usable: Vec<String> = instance
        .fleet
        .report()
        .into_iter()
        .filter(|r| r.standing.is_ok())
        .map(|r| r.name)
        .collect();
    let dead = instance
        .config
        .tiers
        .iter()
        .filter(|t| !t.runtimes.iter().any(|r| usable.contains(r)));
    dead.map(|tier| {
        let detail = format!("none of its runtimes ({}) can be used", tier.runtimes.join(", "));
        Finding::of(
            &format!("tier {}", tier.name),
            Level::Bad,
            detail,
            "make one of them available, or change the tier",
        )
    })
    .collect()
}
