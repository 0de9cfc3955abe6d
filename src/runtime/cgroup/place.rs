//! Where this process stands in each hierarchy, from `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the groups that a process is in; absent where a hierarchy is not mounted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Version 2.
    pub(super) unified: Option<PathBuf>,
    /// Version 1, the memory controller.
    pub(super) memory: Option<PathBuf>,
    /// Version 1, the controller of process numbers.
    pub(super) pids: Option<PathBuf>,
}

impl Place {
    /// This process's.
    pub(super) fn own() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    fn parse(mounts: &str, groups: &str) -> Self {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let mut place = Self::default();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let find = |wanted: &str| {
                let mount = mounts.iter().find(|mount| mount.is_of(wanted))?;
                Some(mount.folder(path))
            };
            if controllers.is_empty() {
                place.unified = find("");
            }
            for controller in controllers.split(',') {
                match controller {
                    "memory" => place.memory = find(controller),
                    "pids" => place.pids = find(controller),
                    _ => {}
                }
            }
        }
        place
    }
}

/// A mounted hierarchy.
struct Mount<'a> {
    /// Which part of the hierarchy is mounted.
    root: &'a str,
    point: &'a str,
    version: u8,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `ID PARENT DEVICE ROOT POINT OPTIONS [FIELDS…] - TYPE SOURCE SUPER-OPTIONS` (proc_pid_mountinfo(5)).
    fn parse(line: &'a str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let (root, point) = (front.next()?, front.next()?);
        let mut back = back.split(' ');
        let version = match back.next()? {
            "cgroup2" => 2,
            "cgroup" => 1,
            _ => return None,
        };
        Some(Self {
            root,
            point,
            version,
            options: back.nth(1)?,
        })
    }

    /// Whether it is the one of a controller, or with an empty name the one of version 2.
    fn is_of(&self, controller: &str) -> bool {
        match self.version {
            2 => controller.is_empty(),
            _ => !controller.is_empty() && self.options.split(',').any(|word| word == controller),
        }
    }

    /// A group's folder. One outside of what is mounted (another name space's) stands at the mount itself.
    fn folder(&self, group: &str) -> PathBuf {
        let below = Path::new(group).strip_prefix(self.root).ok();
        let inside = below.filter(|path| !path.starts_with(".."));
        let point = Path::new(self.point);
        match inside {
            Some(path) if !path.as_os_str().is_empty() => point.join(path),
            _ => point.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(unified: &str, memory: &str, pids: &str) -> Place {
        let path = |text: &str| Some(PathBuf::from(text)).filter(|_| !text.is_empty());
        Place {
            unified: path(unified),
            memory: path(memory),
            pids: path(pids),
        }
    }

    #[test]
    fn a_host_with_version_2_alone() {
        let mounts = "24 30 0:22 / /proc rw - proc proc rw\n\
            35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let group = "0::/user.slice/user-1000.slice/app.slice/run.scope\n";
        let expected = "/sys/fs/cgroup/user.slice/user-1000.slice/app.slice/run.scope";
        assert_eq!(Place::parse(mounts, group), place(expected, "", ""));
    }

    #[test]
    fn a_host_with_both() {
        let mounts = "35 24 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            36 24 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            37 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = "9:name=systemd:/\n8:pids:/\n4:memory:/outer/inner\n0::/\n";
        let expected = place(
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/memory/outer/inner",
            "/sys/fs/cgroup/pids",
        );
        assert_eq!(Place::parse(mounts, groups), expected);
    }

    #[test]
    fn a_container_that_sees_its_part_alone() {
        let mounts = "35 24 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            37 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        for (group, folder) in [
            ("/docker/abc", "/sys/fs/cgroup/memory"),
            ("/docker/abc/x", "/sys/fs/cgroup/memory/x"),
            ("/elsewhere", "/sys/fs/cgroup/memory"),
        ] {
            let groups = format!("4:memory:{group}\n0::/../..\n");
            let expected = place("/sys/fs/cgroup/unified", folder, "");
            assert_eq!(Place::parse(mounts, &groups), expected, "{group}");
        }
    }

    #[test]
    fn nothing_mounted_is_no_place() {
        assert_eq!(Place::parse("", "8:pids:/\n0::/x\nnonsense\n"), Place::default());
    }
}
