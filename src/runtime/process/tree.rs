//! The process table: one look at `/proc`, and who descends from whom in it.
//!
//! A look is not atomic: a process whose parent dies meanwhile can be missed by it. So an empty look proves nothing
//! by itself; the supervisor's proof is that it has no child left, and [`super::death`] looks twice.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::identity::{BootId, Identity};

/// A process number.
pub type Pid = i32;

/// What `/proc/<pid>/stat` says, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pid: Pid,
    state: u8,
    parent: Pid,
    pub(super) start_time: u64,
}

impl Stat {
    pub(super) fn read(pid: Pid) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(&text)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat cannot be read as a process")))
    }

    /// The command's name may hold blanks and brackets, so the fields count from its last bracket.
    fn parse(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|b| *b == b'(')?;
        let close = text.iter().rposition(|b| *b == b')')?;
        let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    pub(super) fn parent(&self) -> Pid {
        self.parent
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// All processes at one look.
#[derive(Debug)]
pub(in crate::runtime) struct Census {
    boot_id: BootId,
    all: Vec<Stat>,
}

impl Census {
    /// Looks.
    pub(in crate::runtime) fn take() -> io::Result<Self> {
        let all = fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<Pid>().ok())
            .filter_map(|pid| Stat::read(pid).ok())
            .collect();
        Ok(Self {
            boot_id: BootId::current()?,
            all,
        })
    }

    /// The living descendants of these processes, at any depth, themselves not included.
    pub(in crate::runtime) fn descendants(&self, roots: &[Pid]) -> Vec<Identity> {
        let mut family: HashSet<Pid> = roots.iter().copied().collect();
        loop {
            let before = family.len();
            let children = self
                .all
                .iter()
                .filter(|s| family.contains(&s.parent))
                .map(|s| s.pid);
            let grown: Vec<Pid> = children.collect();
            family.extend(grown);
            if family.len() == before {
                break;
            }
        }
        self.living(|stat| family.contains(&stat.pid) && !roots.contains(&stat.pid))
    }

    /// The living processes that were started with this variable in their environment, exactly.
    pub(super) fn with_variable(&self, name: &str, value: &str) -> Vec<Identity> {
        let wanted = format!("{name}={value}");
        self.living(|stat| has_entry(stat.pid, wanted.as_bytes()))
    }

    fn living(&self, wanted: impl Fn(&Stat) -> bool) -> Vec<Identity> {
        let found = self.all.iter().filter(|stat| stat.is_alive() && wanted(stat));
        found
            .map(|stat| Identity {
                pid: stat.pid,
                start_time: stat.start_time,
                boot_id: self.boot_id.clone(),
            })
            .collect()
    }
}

/// A process whose environment may not be read is another user's, and none of ours.
fn has_entry(pid: Pid, wanted: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
        std::ffi::OsStr::from_bytes(&environ)
            .as_bytes()
            .split(|b| *b == 0)
            .any(|e| e == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_and_blanks_do_not_shift_the_fields() {
        let tail = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 424242 1 1";
        for name in ["sh", "a b", "x) R 1 (y", ")", "((", "a\nb"] {
            let stat = Stat::parse(format!("12 ({name}) {tail}").as_bytes()).unwrap();
            assert_eq!(
                (stat.pid, stat.parent, stat.start_time),
                (12, 7, 424_242),
                "{name:?}"
            );
        }
    }

    #[test]
    fn torn_text_is_no_process() {
        for text in ["", "12", "12 (sh", "12 (sh) S", "x (sh) S 1", "12 (sh) S 7 1 1 0"] {
            assert_eq!(Stat::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn depth_and_order_of_the_table_do_not_matter() {
        let stat = |pid, parent, state| Stat {
            pid,
            state,
            parent,
            start_time: 1,
        };
        let census = Census {
            boot_id: BootId("b".into()),
            all: vec![
                stat(9, 5, b'S'),
                stat(5, 3, b'S'),
                stat(3, 1, b'S'),
                stat(4, 1, b'S'),
                stat(6, 3, b'Z'),
                stat(7, 6, b'R'),
            ],
        };
        let mut found: Vec<Pid> = census.descendants(&[3]).into_iter().map(|i| i.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [5, 7, 9]);
    }
}
