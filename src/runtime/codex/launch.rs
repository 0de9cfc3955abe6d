//! The command line and the environment of the CLI, and whether it is there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::reader::Stream;
use super::{attachment, overrides};
use crate::runtime::process::probe;
use crate::runtime::{Available, Brief, Launch, Reader, Runtime, Unavailable, environment, host_of};

/// The variable with the folder of the CLI's login, sessions and settings.
const HOME: &str = "CODEX_HOME";
/// Where the CLI asks its model and renews its login: with an API key the first, with a person's subscription the others.
pub(in crate::runtime) const HOSTS: [&str; 3] = ["api.openai.com", "chatgpt.com", "auth.openai.com"];

/// What the CLI's own sandbox lets commands do; of no effect where a sandbox of ours holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxMode {
    /// Look, change nothing.
    ReadOnly,
    /// Write in the workspace and for temporary files; no network.
    #[default]
    WorkspaceWrite,
    /// Everything.
    DangerFullAccess,
}

impl SandboxMode {
    /// The word that the CLI knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::DangerFullAccess => "danger-full-access",
        }
    }
}

/// A `codex` runtime's settings.
#[derive(Clone)]
pub struct Options {
    /// The program: a name on the PATH, or a path.
    pub binary: String,
    /// Further arguments, after the runtime's own.
    pub args: Vec<String>,
    /// Names of the caller's variables that it gets besides the allow-list.
    pub env: Vec<String>,
    /// What its own sandbox lets commands do.
    pub sandbox: SandboxMode,
    /// Whether the `config.toml` and the rules of the person who runs it count.
    pub user_config: bool,
    /// Another address of the provider's API (with its `/v1`); the CLI's own login is not used there.
    pub base_url: Option<String>,
    /// The API key; without one the CLI uses its own login.
    pub api_key: Option<SecretString>,
    /// Whether its workers run inside a sandbox of ours, so that its own does not matter.
    pub contained: bool,
    /// The caller's environment, to look for the program.
    pub inherited: BTreeMap<OsString, OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binary: "codex".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            sandbox: SandboxMode::default(),
            user_config: false,
            base_url: None,
            api_key: None,
            contained: false,
            inherited: BTreeMap::new(),
        }
    }
}

/// The runtime.
#[derive(Clone)]
pub struct Codex {
    options: Options,
}

impl Codex {
    /// The runtime with these settings.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    fn argv(&self, brief: &Brief, env_names: &[OsString]) -> Vec<OsString> {
        let options = &self.options;
        let mut argv: Vec<OsString> = [
            &options.binary,
            "exec",
            "--json",
            "--skip-git-repo-check",
            "--model",
            &brief.model,
            "--cd",
        ]
        .map(OsString::from)
        .to_vec();
        argv.push(brief.workspace.clone().into());
        if brief.contained {
            argv.push("--dangerously-bypass-approvals-and-sandbox".into());
        } else {
            argv.extend(["--sandbox".into(), options.sandbox.as_str().into()]);
        }
        if !options.user_config {
            argv.extend(["--ignore-user-config", "--ignore-rules"].map(OsString::from));
        }
        argv.extend(overrides::of(options, brief, env_names));
        argv.extend(options.args.iter().map(OsString::from));
        argv.extend(attachment::flags(brief));
        if let Some(thread) = &brief.session {
            argv.extend(["resume".into(), thread.into()]);
        }
        // The prompt comes on standard input.
        argv.push("-".into());
        argv
    }

    fn env(&self, brief: &Brief) -> BTreeMap<OsString, OsString> {
        let options = &self.options;
        let mut env = environment::of(brief, &options.env);
        if brief.contained {
            // The caller's folder is not there; its own is below the private home, and kept for the task's next attempt.
            env.remove(OsStr::new(HOME));
        } else {
            env.extend(home(&brief.inherited));
        }
        env.insert(overrides::ZONE.into(), "UTC".into());
        if let Some(key) = &options.api_key {
            env.insert(overrides::KEY.into(), key.expose_secret().into());
        }
        env
    }

    /// In a folder for temporary files, the CLI makes no links to its sandbox's program: each command would fail, and
    /// the run would still end well.
    fn home_is_fit(&self, env: &BTreeMap<OsString, OsString>) -> Result<(), Unavailable> {
        let given = |name: &str| env.get(OsStr::new(name)).map(PathBuf::from);
        let home = given(HOME).or_else(|| given("HOME").map(|home| home.join(".codex")));
        let temporary = given("TMPDIR").unwrap_or_else(|| "/tmp".into());
        match home {
            Some(home)
                if home.starts_with(&temporary)
                    && !self.options.contained
                    && self.options.sandbox != SandboxMode::DangerFullAccess =>
            {
                Err(Unavailable {
                    reason: format!(
                        "its folder {} lies among temporary files, where its sandbox does not work",
                        home.display()
                    ),
                    cure: format!("set {HOME} to a folder elsewhere"),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The CLI's own folder, where the caller has named one: its login is there.
fn home(caller: &BTreeMap<OsString, OsString>) -> Option<(OsString, OsString)> {
    let folder = caller.get(OsStr::new(HOME))?;
    Some((HOME.into(), folder.clone()))
}

#[async_trait]
impl Runtime for Codex {
    fn kind(&self) -> &'static str {
        "codex"
    }

    async fn probe(&self) -> Result<Available, Unavailable> {
        let options = &self.options;
        let mut env = environment::allowed(&options.inherited, &options.env);
        env.extend(home(&options.inherited));
        let install = "install Codex (npm install -g @openai/codex), or set binary = \"/path/to/codex\"";
        let program = probe::client(&options.binary, install, &env)?;
        self.home_is_fit(&env)?;
        probe::version(&program, &env).await
    }

    fn hosts(&self) -> Vec<String> {
        match &self.options.base_url {
            Some(url) => host_of(url).into_iter().collect(),
            None => HOSTS.map(str::to_owned).to_vec(),
        }
    }

    fn launch(&self, brief: &Brief) -> Launch {
        let env = self.env(brief);
        let names: Vec<OsString> = env.keys().cloned().collect();
        Launch {
            argv: self.argv(brief, &names),
            env,
            stdin: brief.prompt.clone().into_bytes(),
            cwd: brief.workspace.clone(),
        }
    }

    fn reader(&self, brief: &Brief) -> Box<dyn Reader> {
        Box::new(Stream::new(brief))
    }
}
