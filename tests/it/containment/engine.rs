//! A Podman of the test's own, with storage, settings and an image in a temporary folder; and an engine that says no.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::life::until;
use crate::main_job::world::{EXE, finished};

/// The image that has a shell and this machine's C library.
pub const IMAGE: &str = "localhost/cell:latest";
const PROGRAMS: [&str; 12] = [
    "bash", "cat", "dash", "env", "git", "grep", "id", "ls", "mkdir", "setsid", "sleep", "touch",
];

pub struct Podman {
    folder: tempfile::TempDir,
    service: Child,
    pub socket: PathBuf,
}

impl Podman {
    /// None, with the reason printed, where there is no Podman; where nothing may be skipped that is a failure.
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// The same, with more programs in its image.
    pub fn with(more: &[&str]) -> Option<Self> {
        let has = |name: &str| Command::new(name).arg("--version").output().is_ok();
        if !has("podman") || !has("runc") || !rustix::process::geteuid().is_root() {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "podman and runc are missing"
            );
            eprintln!("skipped: containers need podman, runc and root here");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (graph, run) = (at("graph"), at("run"));
        let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {graph:?}\nrunroot = {run:?}\n");
        fs::write(at("storage.conf"), storage).unwrap();
        let settings = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n\
            [engine]\nruntime = \"runc\"\n";
        fs::write(at("containers.conf"), settings).unwrap();
        let socket = at("engine.sock");
        let mut command = podman(folder.path());
        let address = format!("unix://{}", socket.display());
        command.args(["system", "service", "--time", "0", &address]);
        let service = command.stderr(Stdio::null()).spawn().unwrap();
        let own = Self {
            folder,
            service,
            socket,
        };
        own.import(IMAGE, &[&PROGRAMS[..], more].concat());
        until("the engine listens", || {
            std::os::unix::net::UnixStream::connect(&own.socket).is_ok()
        });
        Some(own)
    }

    pub fn done(&self, args: &[&str]) -> String {
        let ran = finished(podman(self.folder.path()).args(args));
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.out
    }

    /// The containers that are there, running or not.
    pub fn containers(&self) -> String {
        self.done(&["ps", "--all", "--quiet"])
    }

    /// An image that has not even a C library.
    pub fn import_empty(&self, name: &str) {
        self.import(name, &[]);
    }

    fn import(&self, name: &str, programs: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        for (link, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            fs::create_dir_all(root.path().join(target)).unwrap();
            std::os::unix::fs::symlink(target, root.path().join(link)).unwrap();
        }
        fs::create_dir_all(root.path().join("etc")).unwrap();
        let mut libraries = Vec::new();
        for program in programs {
            let path = Path::new("/usr/bin").join(program);
            fs::copy(&path, root.path().join("usr/bin").join(program)).unwrap();
            libraries.extend(needed_by(&path));
        }
        if !programs.is_empty() {
            libraries.extend(needed_by(Path::new(EXE)));
            std::os::unix::fs::symlink("dash", root.path().join("usr/bin/sh")).unwrap();
        }
        for library in libraries {
            let to = root.path().join(library.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&library, to).unwrap();
        }
        let tar = self.folder.path().join("root.tar");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(root.path())
            .arg("-cf")
            .arg(&tar)
            .arg(".")
            .status();
        assert!(packed.unwrap().success());
        self.done(&["import", tar.to_str().unwrap(), name]);
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = podman(self.folder.path())
            .args(["rm", "--all", "--force", "--time", "0"])
            .output();
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn podman(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    command.env("CONTAINERS_STORAGE_CONF", folder.join("storage.conf"));
    command.env("CONTAINERS_CONF", folder.join("containers.conf"));
    command
}

fn needed_by(program: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd").arg(program).output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    told.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// An engine that tells about itself and answers everything else with this status and message.
pub fn fake(status: u16, message: &'static str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("fake.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut asked = [0; 4096];
            let length = client.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let (status, body) = if asked.starts_with("GET /info") {
                (200, "{\"SecurityOptions\":[]}".to_owned())
            } else if asked.starts_with("GET /images/") && status != 404 {
                (200, "{}".to_owned())
            } else {
                (status, format!("{{\"message\":\"{message}\"}}"))
            };
            let _ = write!(
                client,
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (folder, socket)
}
