//! What is to be started, within which limits, and the part of it that the supervisor reads from disk.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::LeaseTerms;
use super::record::Word;
use crate::runtime::{Brief, Launch};

/// The variable by which the processes of an attempt are known, even when they left their tree.
pub const KEY_VARIABLE: &str = "ORCHESTRATOR_ATTEMPT_KEY";

/// How much a worker may use; what is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of standard output and standard error together that are kept; the worker is ended when it writes more.
    pub output_bytes: u64,
    /// Bytes of output a second; a worker that writes faster has to wait.
    pub output_rate: u64,
    /// Bytes of memory of the whole tree where a control group can be had, of the writable data of each process
    /// (`RLIMIT_DATA`) elsewhere.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the tree where a control group can be had. Elsewhere they come on top of what the user
    /// runs at the start (`RLIMIT_NPROC`, which the system does not hold root to).
    pub processes: Option<u64>,
    /// Bytes that the workspace may hold, as blocks on the disk, each entry as 4 KiB at least.
    pub disk_bytes: Option<u64>,
    /// Bytes of the largest file that it may write (`RLIMIT_FSIZE`).
    pub file_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_bytes: 256 << 20,
            output_rate: 10 << 20,
            memory_bytes: None,
            processes: None,
            disk_bytes: None,
            file_bytes: None,
        }
    }
}

/// An attempt's process that is to be started.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The folder of the attempt's files; made when it is not there.
    pub attempt_dir: PathBuf,
    /// What to run.
    pub launch: Launch,
    /// The prompt, kept beside it in `prompt.md`.
    pub prompt: String,
    /// How long it may run.
    pub timeout: Duration,
    /// Between the polite signal and the other one, when the supervisor stops it for its timeout.
    pub grace: Duration,
    /// How long it may run on without an orchestrator; as long as its timeout where absent.
    pub lease: Option<LeaseTerms>,
    /// How much it may use.
    pub limits: Limits,
    /// An unguessable word in the environment of all its processes.
    pub key: String,
}

impl Spec {
    /// The grace of a timeout, unless set otherwise.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// The process of a brief, with a new key.
    pub fn new(brief: &Brief, launch: Launch, limits: Limits) -> Self {
        Self {
            attempt_dir: brief.attempt_dir.clone(),
            launch,
            prompt: brief.prompt.clone(),
            timeout: brief.timeout,
            grace: Self::GRACE,
            lease: None,
            limits,
            key: uuid::Uuid::new_v4().to_string(),
        }
    }
}

/// `spec.json`: all that the supervisor needs and that is no secret; the environment is handed on in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runtime) struct Order {
    pub(in crate::runtime) argv: Vec<Word>,
    pub(in crate::runtime) cwd: Word,
    pub(in crate::runtime) env_names: Vec<Word>,
    pub(in crate::runtime) timeout_ms: u64,
    pub(in crate::runtime) grace_ms: u64,
    pub(in crate::runtime) limits: Limits,
    pub(in crate::runtime) key: String,
}

impl From<&Spec> for Order {
    fn from(spec: &Spec) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            argv: spec
                .launch
                .argv
                .iter()
                .map(|word| word.as_os_str().into())
                .collect(),
            cwd: spec.launch.cwd.as_os_str().into(),
            env_names: spec
                .launch
                .env
                .keys()
                .map(|name| name.as_os_str().into())
                .collect(),
            timeout_ms: milliseconds(spec.timeout),
            grace_ms: milliseconds(spec.grace),
            limits: spec.limits,
            key: spec.key.clone(),
        }
    }
}
