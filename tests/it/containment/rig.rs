//! A cell in a temporary folder, a home with secrets beside it, and scripts that run in the worker's place.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::sandbox::{self, Cell, Choice, Container, House, Local, Probed, Refused, Sandbox};

use super::engine::{IMAGE, Podman};
use crate::main_job::world::{EXE, Ran, finished};

/// What is in every secret file.
pub const SECRET: &str = "the-canary-of-this-test";
/// What stands before the exit code of each of several scripts.
const END: &str = "--ended with ";

/// By what a cell can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    Bubblewrap,
    Landlock,
    Container,
}

pub struct Rig {
    /// The engine of a cell that has its own.
    _podman: Option<Podman>,
    folder: tempfile::TempDir,
    pub choice: Choice,
    /// Where its containers come from; none for the tier `sandbox`.
    pub house: Option<House>,
    pub cell: Cell,
}

impl Rig {
    pub fn new(choice: Choice) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "workspace",
            "private",
            "attempt/desk",
            "home/.ssh",
            "home/.aws",
            "home/.claude",
            "home/.cargo/bin",
            "instance/.orchestrator/workspaces/other",
        ] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for secret in [
            "home/.ssh/id_ed25519",
            "home/.aws/credentials",
            "home/.claude/.credentials.json",
            "home/.cargo/credentials.toml",
            "home/.netrc",
            "instance/orchestrator.toml",
            "instance/.orchestrator/orchestrator.db",
            "instance/.orchestrator/workspaces/other/code",
            "attempt/stdin",
        ] {
            fs::write(at(secret), SECRET).unwrap();
        }
        let cell = Cell {
            task: "t-1".to_owned(),
            folder: at("attempt"),
            exe: EXE.into(),
            workspace: at("workspace"),
            home: at("private"),
            home_at: at("home"),
            read: Vec::new(),
            write: vec![at("workspace"), at("attempt/desk")],
            hidden: sandbox::secrets(&at("home")),
            frozen: Vec::new(),
            barren: Vec::new(),
            hosts: Vec::new(),
            env: BTreeMap::new(),
        };
        Self {
            _podman: None,
            folder,
            choice,
            house: None,
            cell,
        }
    }

    /// One whose containers come from this engine.
    pub fn housed(socket: &Path) -> Self {
        let house = House {
            socket: socket.to_owned(),
            image: IMAGE.to_owned(),
            memory: None,
            processes: 200,
            file: None,
        };
        Self {
            house: Some(house),
            ..Self::new(Choice::Auto)
        }
    }

    /// One that is held so; none where this machine cannot.
    pub fn within(wall: Wall) -> Option<Self> {
        match wall {
            Wall::Bubblewrap => Some(Self::new(Choice::Bubblewrap)),
            Wall::Landlock => Some(Self::new(Choice::Landlock)),
            Wall::Container => {
                let podman = Podman::with(&["curl", "ln", "perl", "tr"])?;
                let rig = Self::housed(&podman.socket);
                Some(Self {
                    _podman: Some(podman),
                    ..rig
                })
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn tier(&self, path: &OsStr) -> Box<dyn Sandbox> {
        match &self.house {
            Some(house) => Box::new(Container::new(house.clone())),
            None => Box::new(Local::new(self.choice, path)),
        }
    }

    pub fn probe(&self, path: &OsStr) -> Result<Probed, Refused> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(self.tier(path).probe(&self.cell))
    }

    /// A probed cell with this shell script in it, and the variables that a worker has.
    pub fn wrapped(&self, script: &str) -> sandbox::Command {
        let path = std::env::var_os("PATH").unwrap();
        let probed = self.probe(&path).unwrap();
        // A container's programs are its image's.
        let of_worker = if self.house.is_some() {
            "/nowhere".into()
        } else {
            path
        };
        let env = [("PATH", of_worker), ("HOME", self.cell.home_at.clone().into())];
        let command = sandbox::Command {
            argv: ["sh", "-c", script].map(Into::into).to_vec(),
            env: env.map(|(name, value)| (name.into(), value)).into(),
        };
        let tier = self.tier(OsStr::new(""));
        tier.wrap(command, &self.cell, &probed).unwrap()
    }

    /// Runs a script in the cell to its end.
    pub fn run(&self, script: &str) -> Ran {
        finished(&mut self.command(script))
    }

    /// Runs all of these in one cell, one after the other; the exit code of each, and what it said.
    pub fn run_each<T: AsRef<str>>(&self, scripts: &[T]) -> Vec<(i32, String)> {
        let mut whole = String::new();
        for script in scripts {
            let script = script.as_ref();
            whole += &*format!("(\n{script}\n)\necho \"{END}$?\"\n");
        }
        let ran = self.run(&whole);
        let parts: Vec<&str> = ran.out.split(END).collect();
        assert_eq!(parts.len(), scripts.len() + 1, "each has an end: {ran:?}");
        // Behind the mark stands the exit code of the one before.
        let said = parts.iter().enumerate().map(|(n, part)| match n {
            0 => *part,
            _ => part.split_once('\n').map_or("", |(_, said)| said),
        });
        let codes = parts[1..]
            .iter()
            .map(|part| part.lines().next().unwrap().parse().unwrap());
        codes.zip(said.map(str::to_owned)).collect()
    }

    pub fn command(&self, script: &str) -> Command {
        let sandbox::Command { argv, env } = self.wrapped(script);
        let mut command = Command::new(&argv[0]);
        command
            .args(&argv[1..])
            .env_clear()
            .envs(env)
            .current_dir(&self.cell.workspace);
        command
    }

    pub fn ledger(&self) -> String {
        fs::read_to_string(self.cell.folder.join("egress.jsonl")).unwrap_or_default()
    }
}

/// Pids of processes with this word in their command line.
pub fn processes(word: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&line).into_owned();
        words.split('\0').any(|own| own == word) && *pid != std::process::id()
    })
    .collect()
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
