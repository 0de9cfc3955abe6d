//! `[containment]`: what workers may see, change and reach.

use std::path::{Component, Path, PathBuf};

use crate::config::reader::Section;
use crate::config::setting::words;
use crate::format::hosts::HostRule;

/// `[containment]`.
#[derive(Debug, Clone)]
pub struct Containment {
    /// How workers are contained whose runtime does not say it; absent where only their kind decides.
    pub tier: Option<Tier>,
    /// By what the tier `sandbox` is made.
    pub sandbox: SandboxChoice,
    /// Hosts that workers may reach besides their model's own: `name`, `*.suffix` or an address, each with or without
    /// `:port`.
    pub network: Vec<HostRule>,
    /// Paths that workers may read besides the usual ones.
    pub read: Vec<PathBuf>,
    /// Paths that workers may change besides their workspace. Relative ones name protected configuration of a workspace.
    pub write: Vec<PathBuf>,
    /// How containers are made.
    pub container: Container,
}

/// `[containment.container]`.
#[derive(Debug, Clone)]
pub struct Container {
    /// The engine's Unix socket; absent where it is to be found.
    pub socket: Option<PathBuf>,
    /// The image that workers run in; without one no container can be had.
    pub image: Option<String>,
}

impl Container {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let image = section.maybe("image");
        let socket = section.maybe::<String>("socket").map(PathBuf::from);
        if socket.as_deref().is_some_and(|path| !path.is_absolute()) {
            let at = section.origin_of("socket");
            let help = Some("for example \"/run/podman/podman.sock\"".to_owned());
            section.fault(at, "containment.container.socket: must be an absolute path", help);
        }
        Self { socket, image }
    }
}

/// How workers are contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Not at all.
    None,
    /// By the kernel of this machine.
    Sandbox,
    /// By a container of its own.
    Container,
}

/// By what the tier `sandbox` is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxChoice {
    /// Bubblewrap where it works, else Landlock.
    Auto,
    /// Bubblewrap alone.
    Bubblewrap,
    /// Landlock alone.
    Landlock,
}

words!(Tier { "none" => None, "sandbox" => Sandbox, "container" => Container });
words!(SandboxChoice { "auto" => Auto, "bubblewrap" => Bubblewrap, "landlock" => Landlock });

/// The better one of those that are there.
fn sandbox() -> SandboxChoice {
    SandboxChoice::Auto
}

/// None: a worker needs its model, and that is known.
fn nothing() -> Vec<String> {
    Vec::new()
}

impl Containment {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let tier = section.maybe("tier");
        let sandbox = section.get("sandbox", sandbox);
        let network = hosts(section);
        let read = paths(section, "read", false);
        let write = paths(section, "write", true);
        let container = section.section("container", Container::read);
        Self {
            tier,
            sandbox,
            network,
            read,
            write,
            container,
        }
    }
}

/// `network`, of this table and of a runtime's.
pub(super) fn hosts(section: &mut Section<'_, '_>) -> Vec<HostRule> {
    let given: Vec<String> = section.get("network", nothing);
    let mut hosts = Vec::new();
    for (place, host) in given.iter().enumerate() {
        match host.parse::<HostRule>() {
            Ok(rule) => hosts.push(rule),
            Err(fault) => {
                let at = section.origin_of_item("network", place);
                section.fault(at, fault.to_string(), None);
            }
        }
    }
    hosts
}

/// Absolute paths, or ones below the home (`~/`); relative ones where they mean something.
fn paths(section: &mut Section<'_, '_>, key: &'static str, relative: bool) -> Vec<PathBuf> {
    let given: Vec<String> = section.get(key, nothing);
    for (place, text) in given.iter().enumerate() {
        let path = Path::new(text);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        let climbs = path.components().any(|part| part == Component::ParentDir);
        let good = !climbs
            && path.parent().is_some()
            && (path.is_absolute() || text.starts_with("~/") || (relative && inside));
        if !good {
            let at = section.origin_of_item(key, place);
            let help = "write an absolute path, or one that begins with ~/".to_owned();
            section.fault(
                at,
                format!("'{}' is no path for this", text.escape_debug()),
                Some(help),
            );
        }
    }
    given.into_iter().map(PathBuf::from).collect()
}
