//! The one home of the git program: argument vectors, a quiet and hermetic environment, timeouts.
//!
//! Invariants: no shell; system and user configuration are off; of the repository's own configuration whatever names
//! a program is overridden (see [`super::disarm`]); only https, ssh and file transports.
//! A [`Git`] is opened for each operation and not kept: a worker may have changed the configuration meanwhile.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::disarm;
use super::error::GitError;
use crate::config::Environment;

/// For everything that stays on this machine.
const LOCAL: Duration = Duration::from_secs(300);
/// For clones and fetches.
const NETWORK: Duration = Duration::from_secs(1800);
/// How much of git's complaint is kept, in characters.
const COMPLAINT: usize = 600;

/// Variables of the caller that would lead git astray.
const STRIPPED: [&str; 25] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "GIT_SSH",
    "GIT_SSH_VARIANT",
    "GIT_PROXY_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_CURL_VERBOSE",
    "GIT_ATTR_SOURCE",
    "GIT_REPLACE_REF_BASE",
];

/// Fixed variables of every call.
const FIXED: [(&str, &str); 19] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    ("GIT_ALLOW_PROTOCOL", "https:ssh:file"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    ("GIT_AUTHOR_NAME", "orchestrator"),
    ("GIT_AUTHOR_EMAIL", "orchestrator@localhost"),
    ("GIT_COMMITTER_NAME", "orchestrator"),
    ("GIT_COMMITTER_EMAIL", "orchestrator@localhost"),
    ("LC_ALL", "C"),
];

/// Git in one place, disarmed.
#[derive(Debug, Clone)]
pub(super) struct Git {
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    overrides: Vec<(String, String)>,
    /// Whether it sees the configuration of the user and of the system.
    at_home: bool,
}

/// What the user's and the system's configuration say of the way to other machines, as an expression for git.
const WAYS: &str = r"^(credential|http)\.";
/// What keeps those configurations out.
const APART: [&str; 3] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

impl Git {
    /// Git in this folder; finds the repository upwards.
    pub(super) async fn open(dir: &Path) -> Result<Self, GitError> {
        let git = Self::bare_handed(dir);
        dir.ancestors().fold(git, Self::trusting).disarmed(None).await
    }

    /// Git in this folder, which must itself be the top of a checkout or a git folder: nothing above is looked at.
    pub(super) async fn open_top(dir: &Path) -> Result<Self, GitError> {
        let ceiling = dir.parent().unwrap_or(dir);
        let git = Self::bare_handed(dir).with_env("GIT_CEILING_DIRECTORIES", ceiling);
        // Without a `.git` in it this folder is the git folder itself, or git finds none at all.
        let is_git_dir = std::fs::symlink_metadata(dir.join(".git")).is_err();
        let settings = is_git_dir.then(|| disarm::settings(dir)).flatten();
        git.trusting(dir).disarmed(settings).await
    }

    /// Git over a folder whose history is kept elsewhere, with an index of its own.
    pub(super) async fn open_apart(git_dir: &Path, tree: &Path, index: &Path) -> Result<Self, GitError> {
        let git = Self::bare_handed(tree).apart(git_dir, tree, index);
        git.disarmed(disarm::settings(git_dir)).await
    }

    /// The same over another folder, with an index of its own; `git_dir` is the repository that it was disarmed for.
    pub(super) fn apart(mut self, git_dir: &Path, tree: &Path, index: &Path) -> Self {
        self.dir = tree.to_path_buf();
        self.with_env("GIT_DIR", git_dir)
            .with_env("GIT_WORK_TREE", tree)
            .with_env("GIT_INDEX_FILE", index)
    }

    /// For calls that need no repository (`init`, `ls-remote`).
    pub(super) fn bare_handed(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            env: Vec::new(),
            overrides: disarm::always(),
            at_home: false,
        }
    }

    /// How whoever runs this program has set git up to reach other machines: credential helpers, proxies, certificates.
    pub(super) async fn ways(dir: &Path) -> Result<Vec<(String, String)>, GitError> {
        let git = Self {
            at_home: true,
            ..Self::bare_handed(dir)
        };
        let mut ways = Vec::new();
        for scope in ["--system", "--global"] {
            let call = git.call(["config", scope, "--includes", "--null", "--get-regexp", WAYS]);
            let out = call.output().await?;
            let pairs = split_zero(&out.stdout).map(|pair| String::from_utf8_lossy(pair).into_owned());
            ways.extend(pairs.filter_map(|pair| {
                let (key, value) = pair.split_once('\n')?;
                Some((key.to_owned(), value.to_owned()))
            }));
        }
        Ok(ways)
    }

    /// The same with one more variable.
    pub(super) fn with_env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The same with one more setting, which wins over every configuration and is in no argument.
    pub(super) fn with_config(mut self, key: &str, value: &str) -> Self {
        self.overrides.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same, also where this checkout belongs to another user: the task names it, and it is disarmed.
    fn trusting(mut self, dir: &Path) -> Self {
        let trusted = ("safe.directory".to_owned(), dir.display().to_string());
        self.overrides.push(trusted);
        self
    }

    /// `settings` is all of the repository's configuration, where that is known: then git is asked once for each text.
    async fn disarmed(mut self, settings: Option<Vec<u8>>) -> Result<Self, GitError> {
        if let Some(known) = settings.as_deref().and_then(disarm::known) {
            self.overrides.extend(known);
            return Ok(self);
        }
        let asked = ["--null", "--name-only", "--get-regexp", disarm::ARMED];
        let out = match &settings {
            // The very text that is remembered, whatever becomes of the file meanwhile.
            Some(text) => {
                let call = self.call(["config", "--file", "-"]).stdin(text.clone());
                asked.iter().fold(call, Call::arg).output().await?
            }
            None => {
                let call = self.call(["config"]);
                asked.iter().fold(call, Call::arg).output().await?
            }
        };
        let keys = String::from_utf8_lossy(&out.stdout).into_owned();
        let answers: Vec<_> = keys.split('\0').filter_map(disarm::answer).collect();
        if let (Some(text), Some(0 | 1)) = (settings, out.status.code()) {
            disarm::learn(text, &answers);
        }
        self.overrides.extend(answers);
        Ok(self)
    }

    /// The folder it runs in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A call to be made.
    pub(super) fn call<I, S>(&self, args: I) -> Call<'_>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Call {
            git: self,
            args: args.into_iter().map(|a| a.as_ref().to_owned()).collect(),
            stdin: None,
            limit: LOCAL,
            unbroken: false,
        }
    }

    /// The commit that a name stands for.
    pub(super) async fn commit(&self, name: &str) -> Result<Option<String>, GitError> {
        self.resolve(&format!("{name}^{{commit}}")).await
    }

    /// The tree that a name stands for.
    pub(super) async fn tree(&self, name: &str) -> Result<Option<String>, GitError> {
        self.resolve(&format!("{name}^{{tree}}")).await
    }

    async fn resolve(&self, name: &str) -> Result<Option<String>, GitError> {
        let call = self.call(["rev-parse", "--verify", "--quiet", "--end-of-options", name]);
        call.text_if_any().await
    }

    /// Whether the first commit is an ancestor of (or the same as) the second.
    pub(super) async fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, GitError> {
        self.call(["merge-base", "--is-ancestor", old, new]).holds().await
    }

    fn command(&self, args: &[OsString], piped: bool) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the home of git")]
        let mut command = Command::new("git");
        command.args(args).current_dir(&self.dir);
        for name in STRIPPED {
            command.env_remove(name);
        }
        static PROGRAMS: LazyLock<OsString> = LazyLock::new(|| Environment::capture().program_folders());
        command.env("PATH", &*PROGRAMS);
        let fixed = FIXED
            .into_iter()
            .filter(|(name, _)| !(self.at_home && APART.contains(name)));
        command.envs(fixed).envs(self.env.iter().map(|(k, v)| (k, v)));
        command.env("GIT_CONFIG_COUNT", self.overrides.len().to_string());
        for (n, (key, value)) in self.overrides.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{n}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        command.stdin(if piped { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// One call of git.
#[derive(Debug)]
pub(super) struct Call<'a> {
    git: &'a Git,
    args: Vec<OsString>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    unbroken: bool,
}

impl Call<'_> {
    /// One more argument.
    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// What git reads.
    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// It changes a folder of somebody's: it goes on where nobody waits for it any more, rather than leave half of it.
    pub(super) fn unbroken(mut self) -> Self {
        self.unbroken = true;
        self
    }

    /// It talks to another machine.
    pub(super) fn network(mut self) -> Self {
        self.limit = NETWORK;
        self
    }

    /// It may take this long.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// That takes a moment; ended in the middle of it, git would leave a lock behind that stops everybody.
    fn moves_a_reference(&self) -> bool {
        self.args.first().is_some_and(|verb| verb == "update-ref")
    }

    /// Runs it; any exit code is an answer.
    pub(super) async fn output(self) -> Result<Output, GitError> {
        let mut child = self
            .git
            .command(&self.args, self.stdin.is_some())
            .kill_on_drop(!(self.unbroken || self.moves_a_reference()))
            .spawn()
            .map_err(|e| self.not_started(e))?;
        let writer = child.stdin.take();
        let stdin = self.stdin.as_deref().unwrap_or_default();
        let feed = async {
            if let Some(mut pipe) = writer {
                // Git may end before it has read all; its exit code tells more than the broken pipe.
                let _ = pipe.write_all(stdin).await;
            }
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        match tokio::time::timeout(self.limit, both).await {
            Ok(done) => done.map_err(|source| GitError::Io {
                dir: self.git.dir.clone(),
                source,
            }),
            Err(_) => Err(GitError::TimedOut {
                verb: self.verb(),
                dir: self.git.dir.clone(),
                limit: self.limit,
            }),
        }
    }

    /// Runs it and gives its output; an exit code but 0 is an error.
    pub(super) async fn bytes(self) -> Result<Vec<u8>, GitError> {
        let (verb, dir) = (self.verb(), self.git.dir.clone());
        let out = self.output().await?;
        if out.status.success() {
            return Ok(out.stdout);
        }
        Err(GitError::failed(verb, dir, &out))
    }

    /// As [`Call::bytes`], as text without the last line's end.
    pub(super) async fn text(self) -> Result<String, GitError> {
        let bytes = self.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// As [`Call::bytes`], cut at zero bytes.
    pub(super) async fn list(self) -> Result<Vec<String>, GitError> {
        let bytes = self.bytes().await?;
        Ok(split_zero(&bytes)
            .map(|b| String::from_utf8_lossy(b).into_owned())
            .collect())
    }

    /// As [`Call::text`], with exit code 1 (or no output) as "there is none".
    pub(super) async fn text_if_any(self) -> Result<Option<String>, GitError> {
        let out = self.output().await?;
        let text = String::from_utf8_lossy(&out.stdout)
            .trim_end_matches('\n')
            .to_owned();
        Ok((out.status.success() && !text.is_empty()).then_some(text))
    }

    /// Whether it ends with exit code 0; 1 is a no, anything else an error.
    pub(super) async fn holds(self) -> Result<bool, GitError> {
        let (verb, dir) = (self.verb(), self.git.dir.clone());
        let out = self.output().await?;
        match out.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(GitError::failed(verb, dir, &out)),
        }
    }

    fn verb(&self) -> String {
        self.args
            .first()
            .map_or_else(String::new, |a| a.to_string_lossy().into_owned())
    }

    fn not_started(&self, source: io::Error) -> GitError {
        let dir = self.git.dir.clone();
        if source.kind() == io::ErrorKind::NotFound && dir.is_dir() {
            GitError::NotInstalled
        } else {
            GitError::Io { dir, source }
        }
    }
}

impl GitError {
    /// The error that this output tells of.
    pub(super) fn failed(verb: String, dir: PathBuf, out: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&out.stderr);
        Self::Failed {
            verb,
            dir,
            code: out.status.code().unwrap_or(-1),
            stderr: stderr.trim().chars().take(COMPLAINT).collect(),
        }
    }
}

/// The records of a zero-separated list.
pub(super) fn split_zero(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == 0).filter(|record| !record.is_empty())
}
