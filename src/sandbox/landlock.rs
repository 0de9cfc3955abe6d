//! The cell by Landlock, for machines without bubblewrap or without user namespaces.
//!
//! The process restricts itself, and its children inherit that. Other than by bubblewrap there are no mounts: nothing
//! within a folder that may be changed can be frozen, and nothing within one that may be read hidden (such a cell is
//! refused). The network is the machine's own, with TCP connections to the proxy's and the listed loopback ports alone;
//! a port is all that the kernel looks at. Everything here is required: a kernel that knows less is refused.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::cell::Cell;
use super::view;

/// The interface that is required: signals and abstract sockets stay within the cell (Linux 6.12).
const NEEDED: ABI = ABI::V6;

/// What bubblewrap stops and this does not.
pub(super) const GAPS: [&str; 3] = [
    "other processes of the machine are seen, though not touched",
    "a port that may be connected to may be connected to at any address",
    "configuration within the workspace can be changed",
];

/// Devices that programs use.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// Why the cell cannot be had by Landlock, where that can be told beforehand.
pub(super) fn obstacle(cell: &Cell) -> Option<String> {
    let hidden = cell.hidden.iter().filter(|path| path.exists());
    let bared = hidden.filter(|path| {
        let within = |own: &PathBuf| path.starts_with(own);
        cell.read.iter().chain(&system()).any(within) && !cell.write.iter().any(within)
    });
    bared
        .map(|path| {
            format!(
                "{} cannot be hidden by landlock within a folder that may be read",
                path.display()
            )
        })
        .next()
}

/// Restricts the calling process to the cell; `ports` are those that it may connect to.
pub(super) fn restrict(cell: &Cell, ports: &[u16]) -> Result<(), RulesetError> {
    let all = AccessFs::from_all(NEEDED);
    let read = AccessFs::from_read(NEEDED);
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(NEEDED))?
        .scope(Scope::from_all(NEEDED))?
        .create()?;
    let seen = system()
        .into_iter()
        .chain(cell.read.iter().cloned())
        .chain(view::toolchains(&cell.home_at));
    let ruleset = grant(ruleset, seen, read)?;
    let ruleset = grant(ruleset, [cell.exe.clone(), PathBuf::from("/proc")], read)?;
    let ruleset = grant(ruleset, cell.write.iter().chain([&cell.home]), all)?;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
    let mut ruleset = grant(ruleset, DEVICES, device)?;
    for port in ports {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    ruleset.restrict_self().map(drop)
}

fn grant<P: AsRef<Path>>(
    ruleset: RulesetCreated,
    paths: impl IntoIterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    ruleset.add_rules(path_beneath_rules(paths, access))
}

/// What the system shows; links are seen through their targets.
fn system() -> Vec<PathBuf> {
    view::system().1
}

/// Gives up every capability, for good: Landlock itself says nothing about what root may do besides files.
pub(super) fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
}
