//! Every refusal of the proxy, as a line in the attempt's folder and on the worker's standard error.
//!
//! Host names come from a worker that may be hostile: they are JSON strings in the file and printable on the other.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::SecondsFormat;
use serde_json::json;

use crate::clock::Clock;

/// Lines that are written at most: a worker that knocks forever must not fill the disk.
const MOST: usize = 5000;
/// The ledger's name in the attempt's folder.
pub(in crate::sandbox) const NAME: &str = "egress.jsonl";
/// So much of a ledger is read again, in bytes.
const READ: u64 = 16 * 1024 * 1024;

/// Host and port of each refusal that is written down in the ledger of this folder, in their order; none where nothing was refused.
pub fn refusals(folder: &Path) -> Vec<(String, u16)> {
    let Ok(file) = File::open(folder.join(NAME)) else {
        return Vec::new();
    };
    let entry = |line: String| {
        let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
        let port = entry["port"].as_u64().and_then(|port| u16::try_from(port).ok())?;
        Some((entry["host"].as_str()?.to_owned(), port))
    };
    let lines = BufReader::new(file.take(READ)).lines().map_while(Result::ok);
    lines.filter_map(entry).collect()
}

/// The refusals of one attempt.
pub(in crate::sandbox) struct Ledger {
    task: String,
    clock: Clock,
    file: Mutex<(File, usize)>,
}

impl Ledger {
    /// Opens the ledger at `path` for the task.
    pub(in crate::sandbox) fn open(path: &Path, task: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            task: task.to_owned(),
            clock: Clock::system(),
            file: Mutex::new((file, 0)),
        })
    }

    /// Writes a refusal down.
    pub(super) fn refused(&self, host: &str, port: u16, why: &str) {
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, written) = &mut *held;
        *written += 1;
        if *written > MOST {
            return;
        }
        let at = self.clock.now().to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let entry = json!({"at": at, "task": self.task, "host": host, "port": port, "refused": why});
        // The line is for people; a full disk must not open the way.
        let _ = writeln!(file, "{entry}");
        let printable: String = why.chars().filter(|c| !c.is_control()).take(300).collect();
        eprintln!("orchestrator: network refused: {printable}");
    }
}
