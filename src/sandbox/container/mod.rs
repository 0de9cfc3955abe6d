//! The tier `container`: an ephemeral container an attempt, by Docker or Podman.
//!
//! The container's first process is this program, mounted into it (see `role::first`): it takes the worker's streams
//! from outside, hands the proxy's door out, and ends with whoever started it, and all in the container with it. The
//! programs are the image's; of the host there is what the cell shows. The engine's own log holds nothing of the worker.

mod engine;
mod spec;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Command};
use super::role::Means;
use super::{Probed, Refused, Sandbox, Tier, probe, write_plan};
pub(super) use engine::{Engine, Fault};
pub(super) use spec::{DOOR_FILE, prepare, request};

/// Where engines listen, where nobody says it.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];
/// What root without capabilities still is.
const ROOT: &str = "the worker is root inside, without any capability; some agents refuse to work so";

/// How containers are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct House {
    /// The engine's Unix socket.
    pub socket: PathBuf,
    /// The image, which the engine has.
    pub image: String,
    /// Bytes of memory, swap included.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: u32,
    /// Bytes of the largest file.
    pub file: Option<u64>,
}

/// The tier `container`.
#[derive(Debug, Clone)]
pub struct Container {
    house: House,
}

impl Container {
    /// With an image of an engine; an empty one is refused when a cell is asked for.
    pub fn new(house: House) -> Self {
        Self { house }
    }

    async fn tried(&self, cell: &Cell) -> Result<Probed, String> {
        if self.house.image.is_empty() {
            return Err("no image is named (containment.container.image)".to_owned());
        }
        spec::obstacle(cell).map_or(Ok(()), Err)?;
        let engine = Engine::new(&self.house.socket).map_err(|fault| fault.to_string())?;
        let asked = async {
            let rootless = engine.is_rootless().await?;
            engine.has_image(&self.house.image).await?;
            Ok::<bool, Fault>(rootless)
        };
        let rootless = asked.await.map_err(|fault| fault.to_string())?;
        probe::probe(cell, &Means::Container(self.house.clone())).await?;
        let root = rustix::process::geteuid().is_root() && !rootless;
        let gaps: &[&str] = if root { &[ROOT] } else { &[] };
        let by = format!("the image {}", self.house.image);
        Ok(Probed::new(cell, Tier::Container, &by, None, gaps))
    }
}

#[async_trait]
impl Sandbox for Container {
    fn tier(&self) -> Tier {
        Tier::Container
    }

    async fn probe(&self, cell: &Cell) -> Result<Probed, Refused> {
        self.tried(cell).await.map_err(|reason| Refused {
            reason: format!("container: {reason}"),
            cure: "the image must have this machine's C library or a newer one, and the worker's programs; \
                   docs/WORKERS.md tells how to make one"
                .to_owned(),
        })
    }

    fn wrap(&self, command: Command, cell: &Cell, _probed: &Probed) -> Result<Command, Refused> {
        let means = Means::Container(self.house.clone());
        let Command { argv, mut env } = command;
        env.extend(cell.env.iter().map(|(name, value)| (name.into(), value.into())));
        env.insert("HOME".into(), cell.home_at.clone().into());
        env.insert("TMPDIR".into(), "/tmp".into());
        let argv = write_plan(cell, means, argv)?;
        Ok(Command { argv, env })
    }

    async fn sweep(&self, folder: &Path) -> Result<(), Refused> {
        let swept = async {
            let engine = Engine::new(&self.house.socket)?;
            for own in [folder.to_owned(), probe::folder(folder)] {
                for id in engine.of_attempt(&own).await? {
                    engine.remove(&id).await?;
                }
            }
            Ok::<(), Fault>(())
        };
        swept.await.map_err(|fault| Refused {
            reason: fault.to_string(),
            cure: "the attempt's container must be gone before it is concluded".to_owned(),
        })
    }
}

/// The engine's socket: the one that is given, else that of `DOCKER_HOST`, else the first of the usual ones that is there.
pub fn socket(given: Option<&Path>, environment: &BTreeMap<OsString, OsString>) -> PathBuf {
    let get = |name: &str| environment.get(OsStr::new(name)).and_then(|value| value.to_str());
    let host = get("DOCKER_HOST").and_then(|host| host.strip_prefix("unix://"));
    let own = get("XDG_RUNTIME_DIR").map(|folder| Path::new(folder).join("podman/podman.sock"));
    let usual = SOCKETS.map(PathBuf::from).into_iter().chain(own);
    given
        .map(Path::to_owned)
        .or_else(|| host.map(PathBuf::from))
        .or_else(|| usual.into_iter().find(|path| path.exists()))
        .unwrap_or_else(|| SOCKETS[0].into())
}
