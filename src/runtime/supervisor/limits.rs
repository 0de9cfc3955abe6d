//! Limits that a process sets on itself before it becomes the worker, and that all its children inherit.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::runtime::process::Limits;

/// Applies them; a limit that is stricter already stays. Core dumps are always off: they hold secrets.
pub(super) fn apply(limits: &Limits) -> io::Result<()> {
    lower(Resource::Core, 0)?;
    let wanted = [
        (Resource::Nproc, limits.processes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::As, limits.memory_bytes),
    ];
    for (resource, limit) in wanted {
        if let Some(limit) = limit {
            lower(resource, limit)?;
        }
    }
    Ok(())
}

fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let at_most = |old: Option<u64>| Some(old.map_or(limit, |old| old.min(limit)));
    let new = Rlimit {
        current: at_most(now.current),
        maximum: at_most(now.maximum),
    };
    Ok(setrlimit(resource, new)?)
}
