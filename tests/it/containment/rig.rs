//! A cell in a temporary folder, a home with secrets beside it, and scripts that run in the worker's place.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::sandbox::{self, Cell, Choice, Local, Probed, Refused, Sandbox};

use crate::main_job::world::{EXE, Ran, finished};

/// What is in every secret file.
pub const SECRET: &str = "the-canary-of-this-test";

pub struct Rig {
    folder: tempfile::TempDir,
    pub choice: Choice,
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
        Self { folder, choice, cell }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn probe(&self, path: &OsStr) -> Result<Probed, Refused> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let local = Local::new(self.choice, path);
        runtime.unwrap().block_on(local.probe(&self.cell))
    }

    /// A probed cell with this shell script in it, and the variables that a worker has.
    pub fn wrapped(&self, script: &str) -> sandbox::Command {
        let path = std::env::var_os("PATH").unwrap();
        let probed = self.probe(&path).unwrap();
        let env = [("PATH", path), ("HOME", self.cell.home_at.clone().into())];
        let command = sandbox::Command {
            argv: ["sh", "-c", script].map(Into::into).to_vec(),
            env: env.map(|(name, value)| (name.into(), value)).into(),
        };
        Local::new(self.choice, OsStr::new(""))
            .wrap(command, &self.cell, &probed)
            .unwrap()
    }

    /// Runs a script in the cell to its end.
    pub fn run(&self, script: &str) -> Ran {
        finished(&mut self.command(script))
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
