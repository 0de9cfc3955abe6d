//! From whom this process descends: a worker can clean its environment, but not that of the supervisor above it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::tree::{Pid, Stat};

/// What a variable is in the environments of this process and of all that it descends from, as they were started.
///
/// A worker's processes stay below their supervisor, also those that leave their session or their parent. What is not
/// seen: a process that some other service was asked to start.
pub fn values_above(name: &str) -> Vec<OsString> {
    let own = Pid::try_from(std::process::id()).unwrap_or(0);
    let parent = |pid: &Pid| {
        Stat::read(*pid)
            .ok()
            .map(|stat| stat.parent())
            .filter(|pid| *pid > 0)
    };
    let line = std::iter::successors(Some(own), parent);
    line.filter_map(|pid| value(pid, name)).collect()
}

/// A process whose environment may not be read is another user's.
fn value(pid: Pid, name: &str) -> Option<OsString> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environ.split(|b| *b == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(OsString::from_vec(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reaches_past_this_process() {
        // The test runner that started this process has a PATH as well.
        assert!(values_above("PATH").len() > 1);
        assert!(values_above("ORCHESTRATOR_NO_SUCH_VARIABLE").is_empty());
    }
}
