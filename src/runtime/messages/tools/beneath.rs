//! A folder that no path leaves: the files of a workspace, opened beneath its root.
//!
//! Invariants: every open is resolved by the kernel beneath the root (`openat2` with `RESOLVE_BENEATH`), so a
//! symlink that is swapped in between two steps cannot lead out; where the kernel lacks `openat2`, no symlink is
//! followed at all. Only regular files are read or written (a FIFO would block, a device could do anything). A
//! file is replaced by a rename within its folder, so a hard link to the outside is cut, not written through.
//! `.git` is not written: its hooks and its configuration run code outside.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Largest file that is read or written, in bytes.
pub const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Why a path was refused or a file could not be had; said to the model, which chooses another way.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The path leads out of the workspace, or could.
    #[error(
        "{path}: outside of the workspace; use a path below {root}, without '..' or symlinks that lead out"
    )]
    Outside {
        /// The path as it was given.
        path: String,
        /// The workspace.
        root: String,
    },
    /// The path is nothing that this tool touches.
    #[error("{path}: {rule}")]
    Rule {
        /// The path as it was given.
        path: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The system refused.
    #[error("{path}: {source}")]
    System {
        /// The path as it was given.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A folder, held open.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    fd: OwnedFd,
}

impl Root {
    /// Opens the folder at `path`.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty())?;
        Ok(Self { path, fd })
    }

    /// Whether `path` is a folder.
    pub fn is_folder(&self, path: &str) -> Result<bool, Refused> {
        let fd = self.resolve(path, &self.relative(path)?, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.refusal(path, errno))?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// The names in the folder `path`, sorted, folders with a slash; `limit` at most, and how many there are.
    pub fn list(&self, path: &str, limit: usize) -> Result<(Vec<String>, usize), Refused> {
        let fd = self.resolve(path, &self.relative(path)?, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(fd).map_err(|errno| self.refusal(path, errno))? {
            let entry = entry.map_err(|errno| self.refusal(path, errno))?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                let slash = if entry.file_type() == FileType::Directory {
                    "/"
                } else {
                    ""
                };
                names.push(format!("{name}{slash}"));
            }
        }
        names.sort();
        let count = names.len();
        names.truncate(limit);
        Ok((names, count))
    }

    /// The content of the regular file `path`.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Refused> {
        let fd = self.resolve(path, &self.relative(path)?, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.refusal(path, errno))?;
        self.regular(path, stat.st_mode)?;
        let mut bytes = Vec::new();
        let read = File::from(fd).take(MAX_FILE + 1).read_to_end(&mut bytes);
        read.map_err(|source| Refused::System {
            path: path.to_owned(),
            source,
        })?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(rule(
                path,
                "the file is larger than 8 MiB; use bash for a part of it",
            ));
        }
        Ok(bytes)
    }

    /// Makes or replaces the regular file `path` and the folders above it; its permissions stay.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Refused> {
        let relative = self.relative(path)?;
        if relative
            .components()
            .any(|part| part.as_os_str().eq_ignore_ascii_case(".git"))
        {
            return Err(rule(path, "git's own files are not edited; use git through bash"));
        }
        if bytes.len() as u64 > MAX_FILE {
            return Err(rule(path, "the text is larger than 8 MiB"));
        }
        let Some(name) = relative.file_name() else {
            return Err(rule(path, "this is the workspace itself"));
        };
        let folder = self.make_folders(path, relative.parent().unwrap_or(Path::new("")))?;
        let mode = self.mode_to_keep(path, &folder, name)?;
        self.replace(path, &folder, name, mode, bytes)
    }

    fn make_folders(&self, path: &str, folder: &Path) -> Result<OwnedFd, Refused> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut sofar = PathBuf::new();
        let mut fd = self.resolve(path, Path::new("."), flags)?;
        for part in folder.components() {
            sofar.push(part);
            match rustix::fs::mkdirat(&fd, part.as_os_str(), Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.refusal(path, errno)),
            }
            fd = self.resolve(path, &sofar, flags)?;
        }
        Ok(fd)
    }

    fn mode_to_keep(&self, path: &str, folder: &OwnedFd, name: &OsStr) -> Result<Option<Mode>, Refused> {
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                self.regular(path, stat.st_mode)?;
                Ok(Some(Mode::from_raw_mode(stat.st_mode)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.refusal(path, errno)),
        }
    }

    fn replace(
        &self,
        path: &str,
        folder: &OwnedFd,
        name: &OsStr,
        mode: Option<Mode>,
        bytes: &[u8],
    ) -> Result<(), Refused> {
        let temporary = format!(".orchestrator-edit-{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // A rest of a killed worker with the same process id must not block the file for ever.
        let _ = rustix::fs::unlinkat(folder, temporary.as_str(), AtFlags::empty());
        let fd = rustix::fs::openat(folder, temporary.as_str(), flags, Mode::from_raw_mode(0o666))
            .map_err(|errno| self.refusal(path, errno))?;
        let mut file = File::from(fd);
        let done = file
            .write_all(bytes)
            .and_then(|()| mode.map_or(Ok(()), |mode| Ok(rustix::fs::fchmod(&file, mode)?)))
            .and_then(|()| Ok(rustix::fs::renameat(folder, temporary.as_str(), folder, name)?));
        done.map_err(|source| {
            // The error that counts is already at hand.
            let _ = rustix::fs::unlinkat(folder, temporary.as_str(), AtFlags::empty());
            Refused::System {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// A path below the root, from one that may be absolute; the kernel has the last word when it is opened.
    fn relative(&self, path: &str) -> Result<PathBuf, Refused> {
        if path.contains('\0') {
            return Err(rule(&path.replace('\0', "\\0"), "a path holds no NUL"));
        }
        let below = match Path::new(path).strip_prefix(&self.path) {
            Ok(below) => below,
            Err(_) => Path::new(path),
        };
        let mut relative = PathBuf::new();
        for part in below.components() {
            match part {
                Component::Normal(name) => relative.push(name),
                Component::CurDir => {}
                _ => return Err(self.outside(path)),
            }
        }
        Ok(relative)
    }

    fn resolve(&self, path: &str, relative: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
        let relative = if relative.as_os_str().is_empty() {
            Path::new(".")
        } else {
            relative
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        // The kernel answers EAGAIN when something was renamed meanwhile and it cannot be sure.
        let fd = (0..16)
            .map(|_| rustix::fs::openat2(&self.fd, relative, flags, Mode::empty(), resolve))
            .find(|fd| !matches!(fd, Err(Errno::AGAIN)))
            .unwrap_or(Err(Errno::AGAIN));
        let fd = match fd {
            Err(Errno::NOSYS) => self.walk(relative, flags),
            other => other,
        };
        fd.map_err(|errno| self.refusal(path, errno))
    }

    /// The way of older kernels: one step after the other, through no symlink.
    fn walk(&self, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut fd = rustix::fs::openat(&self.fd, ".", step, Mode::empty())?;
        let (folder, name) = match relative.file_name() {
            Some(name) => (relative.parent().unwrap_or(Path::new("")), name),
            None => (Path::new(""), OsStr::new(".")),
        };
        for part in folder.components() {
            fd = rustix::fs::openat(&fd, part.as_os_str(), step, Mode::empty())?;
        }
        rustix::fs::openat(&fd, name, flags | OFlags::NOFOLLOW, Mode::empty())
    }

    fn regular(&self, path: &str, mode: u32) -> Result<(), Refused> {
        match FileType::from_raw_mode(mode) {
            FileType::RegularFile => Ok(()),
            FileType::Directory => Err(rule(path, "this is a folder")),
            FileType::Symlink => Err(rule(path, "this is a symlink; edit the file that it leads to")),
            _ => Err(rule(path, "this is no regular file")),
        }
    }

    fn refusal(&self, path: &str, errno: Errno) -> Refused {
        match errno {
            Errno::XDEV | Errno::LOOP => self.outside(path),
            errno => Refused::System {
                path: path.to_owned(),
                source: errno.into(),
            },
        }
    }

    fn outside(&self, path: &str) -> Refused {
        Refused::Outside {
            path: path.to_owned(),
            root: self.path.display().to_string(),
        }
    }
}

fn rule(path: &str, rule: &'static str) -> Refused {
    Refused::Rule {
        path: path.to_owned(),
        rule,
    }
}

#[cfg(test)]
mod tests;
