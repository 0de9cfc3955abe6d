//! Who is contained how, and what an instance's cells allow.
//!
//! Invariant: whoever is to be contained runs in a cell that was probed, or not at all.

mod caches;
mod gate;
mod review;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::section::{ContainmentTier, SandboxChoice};
use crate::config::{Config, Layout};
use crate::domain::id::TaskId;
use crate::runtime::environment::{GIT_SETTINGS, INHERITED};
use crate::sandbox::{self, Cell, Choice, Container, HostRule, House, Local, Probed, Refused, Sandbox, Tier};
use crate::workspace::{Tracking, Workspace};
use caches::Caches;
pub use gate::GateCells;
use gate::Gates;
pub(super) use review::Booth;

/// The containment of one instance.
pub struct Containment {
    tiers: BTreeMap<String, Tier>,
    credentials: BTreeMap<String, Vec<PathBuf>>,
    local: Local,
    container: Container,
    /// Hosts for every worker.
    network: Vec<HostRule>,
    /// Further hosts of each runtime.
    networks: BTreeMap<String, Vec<HostRule>>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    /// Protected configuration of workspaces that may be changed, relative to them.
    unprotected: Vec<PathBuf>,
    home: PathBuf,
    path: OsString,
    exe: PathBuf,
    hidden: Vec<PathBuf>,
    layout: Layout,
    gates: Gates,
    caches: Caches,
}

/// What a cell is made for.
pub(super) struct Tenant<'a> {
    /// The task.
    pub(super) task: &'a TaskId,
    /// The runtime's name.
    pub(super) runtime: &'a str,
    /// The attempt's folder.
    pub(super) folder: &'a Path,
    /// The folder that is the worker's own.
    pub(super) desk: &'a Path,
    /// Where it works.
    pub(super) workspace: &'a Workspace,
    /// Hosts that its runtime needs.
    pub(super) hosts: Vec<String>,
    /// Files that it is handed.
    pub(super) read: Vec<PathBuf>,
    /// Folders that its runtime writes in.
    pub(super) write: Vec<PathBuf>,
    /// Its command and the one that it starts in turn, whose programs must be seen.
    pub(super) commands: [&'a [OsString]; 2],
}

impl Containment {
    /// Of a configuration.
    pub(super) fn new(
        config: &Config,
        layout: &Layout,
        exe: &Path,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Self {
        let get = |name: &str| environment.get(std::ffi::OsStr::new(name)).cloned();
        // A private home in the place of the root would hide everything else.
        let home = get("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute() && home.parent().is_some())
            .unwrap_or_else(|| PathBuf::from("/home/worker"));
        let path = get(INHERITED[0]).unwrap_or_default();
        let section = &config.containment;
        let choice = match section.sandbox {
            SandboxChoice::Auto => Choice::Auto,
            SandboxChoice::Bubblewrap => Choice::Bubblewrap,
            SandboxChoice::Landlock => Choice::Landlock,
        };
        let tier = |runtime: &crate::config::Runtime| match runtime.contained(section.tier) {
            ContainmentTier::None => Tier::None,
            ContainmentTier::Sandbox => Tier::Sandbox,
            ContainmentTier::Container => Tier::Container,
        };
        let (write, unprotected) = section
            .write
            .iter()
            .partition(|p| !p.is_relative() || p.starts_with("~"));
        let at_home = |paths: Vec<&PathBuf>| paths.into_iter().map(|p| below_home(p, &home)).collect();
        Self {
            tiers: config
                .runtimes
                .iter()
                .map(|(name, r)| (name.clone(), tier(r)))
                .collect(),
            credentials: config
                .runtimes
                .iter()
                .map(|(name, r)| {
                    (
                        name.clone(),
                        r.credentials.iter().map(|file| home.join(file)).collect(),
                    )
                })
                .collect(),
            local: Local::new(choice, &path),
            container: container(config, environment),
            network: section.network.clone(),
            networks: config
                .runtimes
                .iter()
                .map(|(name, r)| (name.clone(), r.network.clone()))
                .collect(),
            read: at_home(section.read.iter().collect()),
            write: at_home(write),
            unprotected: Vec::<&PathBuf>::into_iter(unprotected).cloned().collect(),
            hidden: hidden(layout, &home),
            gates: Gates::new(config),
            caches: Caches::new(&home, environment),
            home,
            path,
            exe: exe.to_owned(),
            layout: layout.clone(),
        }
    }

    /// How the workers of a runtime are contained.
    pub fn tier(&self, runtime: &str) -> Tier {
        self.tiers.get(runtime).copied().unwrap_or(Tier::Sandbox)
    }

    /// What holds the cells of a tier; none where there are none to hold.
    pub fn sandbox(&self, tier: Tier) -> Option<&dyn Sandbox> {
        match tier {
            Tier::None => None,
            Tier::Sandbox => Some(&self.local),
            Tier::Container => Some(&self.container),
        }
    }

    /// The cell of an attempt; its folders are made.
    pub(super) fn cell(&self, tenant: Tenant<'_>) -> std::io::Result<Cell> {
        let Tenant { workspace, .. } = tenant;
        let home = self.layout.home_of(tenant.task);
        let bare = self.bare(tenant.task.as_str(), tenant.folder, &workspace.root, &home);
        let mut write = tenant.write;
        for folder in write.iter().chain([&home]) {
            std::fs::create_dir_all(folder)?;
        }
        write.extend([workspace.top.clone(), tenant.desk.to_owned()]);
        write.extend(self.write.iter().filter(|path| path.exists()).cloned());
        let logins = self.credentials.get(tenant.runtime).into_iter().flatten();
        write.extend(logins.filter(|file| file.is_file()).cloned());
        let mut read = tenant.read;
        read.extend(self.read.iter().filter(|path| path.exists()).cloned());
        for command in tenant.commands {
            read.extend(sandbox::program(command, &self.home, |name| self.find(name)));
        }
        let mut env = BTreeMap::new();
        let (mut frozen, mut barren) = (
            sandbox::configuration(&workspace.top, &self.unprotected),
            Vec::new(),
        );
        match &workspace.tracking {
            Tracking::Worktree { repository } | Tracking::Mirror { repository, .. } => {
                read.push(repository.clone());
                env.insert("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned());
            }
            Tracking::Own { repository } => {
                let (files, folders) = sandbox::git_folder(repository);
                frozen.extend(files);
                barren.extend(folders);
                env.extend(identity());
            }
            Tracking::Shadow { .. } => {}
        }
        // Whoever owns the repository outside, in here is nobody it must be guarded from.
        env.extend(trust());
        Ok(Cell {
            read,
            write,
            frozen,
            barren,
            hosts: self.hosts(Some(tenant.runtime), &tenant.hosts),
            env,
            ..bare
        })
    }

    /// Tries whether cells of a tier can be had here at all, below a folder that is made for it.
    pub async fn rehearse(&self, tier: Tier) -> Result<Option<Probed>, Refused> {
        let Some(sandbox) = self.sandbox(tier) else {
            return Ok(None);
        };
        let folder = self
            .layout
            .state()
            .join(format!("rehearsal-{}", std::process::id()));
        let rooms = ["workspace", "home"].map(|name| folder.join(name));
        let made = rooms.iter().try_for_each(std::fs::create_dir_all);
        let [workspace, home] = &rooms;
        let bare = self.bare("rehearsal", &folder, workspace, home);
        let cell = Cell {
            read: self.read.iter().filter(|path| path.exists()).cloned().collect(),
            write: vec![workspace.clone()],
            hosts: self.hosts(None, &[]),
            ..bare
        };
        let probed = match made {
            Ok(()) => sandbox.probe(&cell).await.map(Some),
            Err(error) => Err(Refused {
                reason: format!("cannot make {}: {error}", folder.display()),
                cure: "check the permissions of the folder".to_owned(),
            }),
        };
        // It lies in the state folder, where the next one does not mind it.
        let _ = std::fs::remove_dir_all(&folder);
        probed
    }

    /// A cell that shows and allows nothing yet.
    fn bare(&self, task: &str, folder: &Path, workspace: &Path, home: &Path) -> Cell {
        Cell {
            task: task.to_owned(),
            folder: folder.to_owned(),
            exe: self.exe.clone(),
            workspace: workspace.to_owned(),
            home: home.to_owned(),
            home_at: self.home.clone(),
            read: Vec::new(),
            write: Vec::new(),
            hidden: self.hidden.clone(),
            frozen: Vec::new(),
            barren: Vec::new(),
            hosts: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    fn hosts(&self, runtime: Option<&str>, needed: &[String]) -> Vec<HostRule> {
        let needed = needed.iter().filter_map(|host| host.parse().ok());
        let own = runtime.and_then(|name| self.networks.get(name));
        let listed = self.network.iter().chain(own.into_iter().flatten()).cloned();
        let mut hosts: Vec<HostRule> = needed.chain(listed).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// A program as the worker will look it up.
    fn find(&self, name: &Path) -> Option<PathBuf> {
        if name.components().count() > 1 {
            return name.is_absolute().then(|| name.to_owned());
        }
        let folders = std::env::split_paths(&self.path).filter(|folder| folder.is_absolute());
        folders
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    }
}

/// By the configured engine and image, within the configured limits.
fn container(config: &Config, environment: &BTreeMap<OsString, OsString>) -> Container {
    let wanted = &config.containment.container;
    Container::new(House {
        socket: sandbox::socket(wanted.socket.as_deref(), environment),
        image: wanted.image.clone().unwrap_or_default(),
        memory: config.limits.memory_bytes,
        processes: config.limits.processes.get(),
        file: config.limits.file_bytes,
    })
}

/// The instance's own files, and the usual secrets of a home.
fn hidden(layout: &Layout, home: &Path) -> Vec<PathBuf> {
    let mut hidden = vec![
        layout.config_file(),
        layout.queue_file(),
        layout.state(),
        layout.heartbeats(),
        layout.progress(),
        layout.archive(),
    ];
    hidden.extend(sandbox::secrets(home));
    hidden
}

fn below_home(path: &Path, home: &Path) -> PathBuf {
    path.strip_prefix("~")
        .map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

/// Makes git believe that the folder's owner is the worker; behind the settings that its environment has anyway.
fn trust() -> [(String, String); 3] {
    let entry = |what: &str, value: &str| (format!("GIT_CONFIG_{what}_{GIT_SETTINGS}"), value.to_owned());
    let count = ("GIT_CONFIG_COUNT".to_owned(), (GIT_SETTINGS + 1).to_string());
    [count, entry("KEY", "safe.directory"), entry("VALUE", "*")]
}

/// A committer, where no configuration of a person's is seen.
fn identity() -> impl Iterator<Item = (String, String)> {
    ["AUTHOR", "COMMITTER"].into_iter().flat_map(|role| {
        [("NAME", "orchestrator"), ("EMAIL", "orchestrator@localhost")]
            .map(|(what, value)| (format!("GIT_{role}_{what}"), value.to_owned()))
    })
}
