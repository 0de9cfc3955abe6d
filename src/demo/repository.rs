//! The demo's repository: a calculator in shell whose test fails.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

const CALC: &str = "add() { echo $(( $1 - $2 )); }\n";

const TEST: &str = "\
. ./calc.sh
check() { [ \"$2\" = \"$3\" ] && echo \"ok: $1\" || { echo \"FAILED: $1 gave $2, expected $3\"; exit 1; }; }
check 'add 2 3' \"$(add 2 3)\" 5
check 'add -1 1' \"$(add -1 1)\" 0
";

/// Makes it, with one commit.
pub(super) fn make(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("calc.sh"), CALC)?;
    std::fs::write(dir.join("test.sh"), TEST)?;
    git(dir, &["init", "--quiet", "--initial-branch=main"])?;
    git(dir, &["add", "--all"])?;
    git(
        dir,
        &[
            "-c",
            "user.name=demo",
            "-c",
            "user.email=demo@localhost",
            "commit",
            "--quiet",
            "-m",
            "A calculator",
        ],
    )
}

fn git(dir: &Path, args: &[&str]) -> anyhow::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the demo makes a repository as its owner would"
    )]
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args).stdin(Stdio::null());
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    let out = command
        .output()
        .context("git cannot be run; install git 2.38 or newer")?;
    if !out.status.success() {
        bail!(
            "git {}: {}",
            args.first().unwrap_or(&""),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(())
}
