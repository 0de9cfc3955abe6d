//! Looking whether a program is there, without running a worker.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::runtime::printable::brief;
use crate::runtime::{Available, Unavailable};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The program that a name stands for on the `PATH` of this environment; a name with a slash stands for itself.
pub(in crate::runtime) fn find(name: &OsStr, env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    if Path::new(name).components().count() > 1 {
        let path = PathBuf::from(name);
        return is_program(&path).then_some(path);
    }
    let path = env.get(OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A client's program; without it, `install` is what people are told to do.
pub(in crate::runtime) fn client(
    name: &str,
    install: &str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<PathBuf, Unavailable> {
    find(OsStr::new(name), env).ok_or_else(|| Unavailable {
        reason: format!("there is no program '{name}'"),
        cure: install.to_owned(),
    })
}

/// A client's version, by its `--version`.
pub(in crate::runtime) async fn version(
    program: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Available, Unavailable> {
    match first_line(program, &["--version"], env).await {
        Ok(version) => Ok(Available { version }),
        Err(reason) => Err(Unavailable {
            cure: format!(
                "run '{} --version' by hand and repair the installation",
                program.display()
            ),
            reason,
        }),
    }
}

/// The first line that a program writes; an error says in words what happened instead.
async fn first_line(
    program: &Path,
    args: &[&str],
    env: &BTreeMap<OsString, OsString>,
) -> Result<String, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a home of processes: asking a program for its version"
    )]
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let name = program.display();
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_) => return Err(format!("{name} did not answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => return Err(format!("{name} cannot be run: {error}")),
        Ok(Ok(output)) => output,
    };
    let line = |bytes: &[u8]| {
        brief(
            String::from_utf8_lossy(bytes).lines().next().unwrap_or_default(),
            120,
        )
    };
    if output.status.success() {
        Ok(line(&output.stdout))
    } else {
        Err(format!(
            "{name} failed ({}): {}",
            output.status,
            line(&output.stderr)
        ))
    }
}
