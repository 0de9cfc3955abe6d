//! The probe: before a worker runs in a cell, the very cell is tried with a program of ours in the worker's place.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::cell::Cell;
use super::role::{CONTAINED, Findings, Means, Plan, TRIAL, Tasks};

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The folder of the trial's own records, within the attempt's.
const FOLDER: &str = "probe";

/// What was tried, for the records.
pub(super) const TRIED: [&str; 5] = [
    "an allowed host is reached",
    "another host is not, with and without the proxy",
    "secrets are not read",
    "nothing is written outside",
    "the workspace is written in",
];

/// The folder of a trial's records, by the attempt's.
pub(super) fn folder(attempt: &Path) -> PathBuf {
    attempt.join(FOLDER)
}

/// Tries the cell as these means make it; the reason where it does not hold.
pub(super) async fn probe(cell: &Cell, means: &Means) -> Result<(), String> {
    let folder = folder(&cell.folder);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let tried = tried(cell, means, &folder).await;
    // What stays of a trial tells nothing to anybody.
    let _ = std::fs::remove_dir_all(&folder);
    tried
}

async fn tried(cell: &Cell, means: &Means, folder: &Path) -> Result<(), String> {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let failed = |error: io::Error| format!("the probe cannot be prepared: {error}");
    let (allowed, denied) = (listen().await.map_err(failed)?, listen().await.map_err(failed)?);
    let word = uuid::Uuid::new_v4().simple().to_string();
    let canary = folder.join("canary");
    std::fs::write(&canary, &word).map_err(failed)?;
    let works = cell.write.iter().any(|own| cell.workspace.starts_with(own));
    let (open, mut closed) = (cell.workspace.clone(), vec![folder.join("escape")]);
    if !works {
        closed.push(cell.workspace.join(format!(".{word}")));
    }
    let tasks = Tasks {
        allowed: allowed.local_addr().map_err(failed)?,
        denied: denied.local_addr().map_err(failed)?,
        word: word.clone(),
        hidden: secrets(cell).chain([canary]).collect(),
        closed,
        open: works.then_some(open).into_iter().collect(),
    };
    let output = tokio::select! {
        output = run(cell, means, folder, &tasks) => output?,
        never = serve(&allowed, &denied, &word) => match never {},
    };
    verdict(&output, &tasks)
}

fn verdict(output: &std::process::Output, tasks: &Tasks) -> Result<(), String> {
    let findings: Result<Findings, _> = serde_json::from_slice(&output.stdout);
    let Ok(findings) = findings else {
        let told = String::from_utf8_lossy(&output.stderr);
        let told = told.lines().last().unwrap_or("it said nothing");
        return Err(format!("it cannot be set up: {}", told.trim()));
    };
    let mut holes = findings.holes;
    let made = tasks.closed.iter().filter(|path| path.exists());
    holes.extend(made.map(|path| format!("{} was made outside", path.display())));
    if holes.is_empty() {
        Ok(())
    } else {
        Err(holes.join("; "))
    }
}

/// The instance's own secrets: what is hidden outside of the home, where the private home has files of the same names.
fn secrets(cell: &Cell) -> impl Iterator<Item = PathBuf> {
    let outside = cell
        .hidden
        .iter()
        .filter(|path| !path.starts_with(&cell.home_at) && path.is_file());
    outside.cloned()
}

async fn run(
    cell: &Cell,
    means: &Means,
    folder: &Path,
    tasks: &Tasks,
) -> Result<std::process::Output, String> {
    let failed = |error: io::Error| format!("the probe cannot be run: {error}");
    let mut own = cell.clone();
    own.folder = folder.to_owned();
    let rule = tasks.allowed.to_string().parse();
    own.hosts
        .push(rule.map_err(|error| format!("the probe: {error}"))?);
    let plan = Plan {
        cell: own,
        means: means.clone(),
    };
    let path = folder.join("cell.json");
    let text = serde_json::to_vec(&plan)
        .map_err(io::Error::from)
        .map_err(failed)?;
    std::fs::write(&path, text).map_err(failed)?;
    let tasks = serde_json::to_string(tasks)
        .map_err(io::Error::from)
        .map_err(failed)?;
    #[expect(clippy::disallowed_methods, reason = "a home of processes: the probe's own")]
    let mut command = tokio::process::Command::new(&cell.exe);
    command
        .arg(CONTAINED)
        .arg(&path)
        .arg("--")
        .arg(&cell.exe)
        .arg(TRIAL)
        .arg(tasks);
    command.env_clear().current_dir("/").kill_on_drop(true);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(failed),
        Err(_) => Err(format!("the probe took more than {} s", PATIENCE.as_secs())),
    }
}

/// Answers whoever comes with the word.
async fn serve(allowed: &TcpListener, denied: &TcpListener, word: &str) -> std::convert::Infallible {
    loop {
        let client = tokio::select! {
            client = allowed.accept() => client,
            client = denied.accept() => client,
        };
        if let Ok((mut client, _)) = client {
            let mut asked = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut client, &mut asked).await;
            // Who does not wait for the answer does not get it.
            let _ = client
                .write_all(format!("HTTP/1.0 200 OK\r\n\r\n{word}").as_bytes())
                .await;
        }
    }
}
