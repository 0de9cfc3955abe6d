//! In the place of a worker: tries what must work and what must not, and tells on standard output.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Tasks {
    /// A listener that may be reached; it answers with the word.
    pub(in crate::sandbox) allowed: SocketAddr,
    /// A listener that must not be reached; it would answer with the word.
    pub(in crate::sandbox) denied: SocketAddr,
    /// What both listeners answer.
    pub(in crate::sandbox) word: String,
    /// Files that must not be read.
    pub(in crate::sandbox) hidden: Vec<PathBuf>,
    /// Files that must not be made.
    pub(in crate::sandbox) closed: Vec<PathBuf>,
    /// Folders in which files must be made and removed.
    pub(in crate::sandbox) open: Vec<PathBuf>,
}

/// What was found; a wall that does not stand is a sentence in `holes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Findings {
    /// What is not as it must be.
    pub(in crate::sandbox) holes: Vec<String>,
}

pub(super) fn run(args: &[OsString]) -> Result<ExitCode, String> {
    let text = args
        .first()
        .and_then(|text| text.to_str())
        .ok_or("needs its tasks")?;
    let tasks: Tasks = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let findings = serde_json::to_string(&tried(&tasks)).map_err(|error| error.to_string())?;
    println!("{findings}");
    Ok(ExitCode::SUCCESS)
}

fn tried(tasks: &Tasks) -> Findings {
    let mut holes = Vec::new();
    match by_proxy(tasks.allowed) {
        Ok(answer) if answer.contains(&tasks.word) => {}
        Ok(answer) => holes.push(format!("an allowed host is not reached: {}", first_line(&answer))),
        Err(error) => holes.push(format!("an allowed host is not reached: {error}")),
    }
    if by_proxy(tasks.denied).is_ok_and(|answer| answer.contains(&tasks.word)) {
        holes.push("a host that is not allowed is reached by the proxy".to_owned());
    }
    if TcpStream::connect_timeout(&tasks.denied, PATIENCE).is_ok() {
        holes.push("a host that is not allowed is reached without the proxy".to_owned());
    }
    let told = |what: &str, path: &Path| format!("{} {what}", path.display());
    holes.extend(
        tasks
            .hidden
            .iter()
            .filter(|path| is_read(path))
            .map(|path| told("can be read", path)),
    );
    holes.extend(
        tasks
            .closed
            .iter()
            .filter(|path| makes(path).is_ok())
            .map(|path| told("can be made", path)),
    );
    for folder in &tasks.open {
        let path = folder.join(format!(".{}", tasks.word));
        if let Err(error) = makes(&path).and_then(|()| std::fs::remove_file(&path)) {
            holes.push(format!("{} cannot be written in: {error}", folder.display()));
        }
    }
    Findings { holes }
}

/// A plain request by the proxy that the environment names.
#[expect(
    clippy::disallowed_methods,
    reason = "the worker's own environment is what is tried here"
)]
fn by_proxy(at: SocketAddr) -> io::Result<String> {
    let proxy = std::env::var("HTTP_PROXY").map_err(io::Error::other)?;
    let proxy = proxy
        .trim_start_matches("http://")
        .parse()
        .map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&proxy, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET http://{at}/ HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}

/// A file that is masked reads as empty.
fn is_read(path: &Path) -> bool {
    let mut first = [0];
    File::open(path)
        .and_then(|mut file| file.read(&mut first))
        .is_ok_and(|read| read > 0)
}

fn makes(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map(drop)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("no answer")
}
