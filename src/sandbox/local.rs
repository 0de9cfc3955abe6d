//! The tier `sandbox`: bubblewrap, or Landlock where bubblewrap cannot be had.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::cell::{Cell, Command};
use super::role::Means;
use super::{Probed, Refused, Sandbox, Tier, bubblewrap, landlock, probe, write_plan};

/// By what a cell of this tier is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Bubblewrap where it works, else Landlock.
    Auto,
    /// Bubblewrap and nothing else.
    Bubblewrap,
    /// Landlock and nothing else.
    Landlock,
}

/// The tier `sandbox`.
#[derive(Debug, Clone)]
pub struct Local {
    choice: Choice,
    bubblewrap: Option<PathBuf>,
}

const LANDLOCK: &str = "landlock and seccomp";

impl Local {
    /// With what is found on this PATH.
    pub fn new(choice: Choice, path: &OsStr) -> Self {
        Self {
            choice,
            bubblewrap: find(path),
        }
    }

    async fn by_bubblewrap(&self, cell: &Cell) -> Result<Probed, String> {
        let program = self
            .bubblewrap
            .as_deref()
            .ok_or("there is no program 'bwrap' on the PATH")?;
        bubblewrap::obstacle(cell).map_or(Ok(()), Err)?;
        probe::probe(cell, &Means::Bubblewrap(program.to_owned())).await?;
        Ok(Probed::new(cell, Tier::Sandbox, "bubblewrap", Some(program), &[]))
    }

    async fn by_landlock(&self, cell: &Cell) -> Result<Probed, String> {
        landlock::obstacle(cell).map_or(Ok(()), Err)?;
        probe::probe(cell, &Means::Landlock).await?;
        Ok(Probed::new(cell, Tier::Sandbox, LANDLOCK, None, &landlock::GAPS))
    }
}

#[async_trait]
impl Sandbox for Local {
    fn tier(&self) -> Tier {
        Tier::Sandbox
    }

    async fn probe(&self, cell: &Cell) -> Result<Probed, Refused> {
        let mut reasons = Vec::new();
        if self.choice != Choice::Landlock {
            match self.by_bubblewrap(cell).await {
                Ok(probed) => return Ok(probed),
                Err(reason) => reasons.push(format!("bubblewrap: {reason}")),
            }
        }
        if self.choice != Choice::Bubblewrap {
            match self.by_landlock(cell).await {
                Ok(probed) => return Ok(probed),
                Err(reason) => reasons.push(format!("landlock: {reason}")),
            }
        }
        Err(Refused {
            reason: reasons.join("; "),
            cure: "install bubblewrap and allow user namespaces, or let the runtime run without by name \
                   (containment = \"none\")"
                .to_owned(),
        })
    }

    fn wrap(&self, command: Command, cell: &Cell, probed: &Probed) -> Result<Command, Refused> {
        let means = probed.program.clone().map_or(Means::Landlock, Means::Bubblewrap);
        let Command { argv, mut env } = command;
        env.extend(cell.env.iter().map(|(name, value)| (name.into(), value.into())));
        let (home, scratch) = match probed.program {
            Some(_) => (&cell.home_at, PathBuf::from("/tmp")),
            // Without mounts of its own the worker's home and its scratch folder lie where they lie.
            None => (&cell.home, cell.home.join(".tmp")),
        };
        if probed.program.is_none() {
            let _ = std::fs::create_dir_all(&scratch);
        }
        env.insert("HOME".into(), home.into());
        env.insert("TMPDIR".into(), scratch.into());
        let argv = write_plan(cell, means, argv)?;
        Ok(Command { argv, env })
    }
}

/// The program on a PATH, in absolute folders alone.
fn find(path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        let meta = std::fs::metadata(path);
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("bwrap"))
        .find(|path| is_program(path))
}
