//! The ground that figures stand on: queue files, instance folders, the opened instance.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator::clock::Clock;
use orchestrator::config::{self, Environment, Home};
use orchestrator::service::instance::{Instance, Opening};
use orchestrator::store::OpenMode;
use tempfile::TempDir;

/// The program as it is shipped.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrator");

/// A queue file with as much prose, tables and fences between the tasks as people have. A `messy` one has the statuses
/// that people type and half of its tasks in the archive; the other has pending tasks only, a third of which depend
/// on another one.
pub fn queue_file(tasks: usize, messy: bool) -> String {
    let statuses = [
        "✅ completed (fixed via upstream)",
        "🔄 **in-progress**",
        "🔴 pending (URGENT)",
        "queued",
        "`done`",
    ];
    let mut file = String::from("# Proactive Jobs\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Active Tasks\n\n");
    for n in 0..tasks {
        if messy && n == tasks / 2 {
            file.push_str("## Archived Tasks\n\n");
        }
        if n % 10 == 0 {
            file.push_str(
                "### Dashboard of this phase\n\n| id | state |\n|----|-------|\n| x  | `y`   |\n\n",
            );
            file.push_str("```mermaid\ngraph LR\n  A --> B\n```\n\n");
        }
        let status = if messy {
            statuses[n % statuses.len()]
        } else {
            "pending"
        };
        let depends = n % 3 == 2 && (!messy || n != tasks / 2);
        write_task(&mut file, n, status, depends);
    }
    if !messy {
        file.push_str("## Archived Tasks\n");
    }
    file
}

fn write_task(file: &mut String, n: usize, status: &str, depends: bool) {
    let depends = if depends {
        format!("- **Depends On:** task-{}\n", n - 1)
    } else {
        String::new()
    };
    // Writing to a String cannot fail.
    let _ = write!(
        file,
        "### task-{n}: Task number {n} of the plan\n- **Type:** one-off\n- **Min Model:** haiku <!-- cheap -->\n\
         - **Priority:** P{}\n{depends}- **Status:** {status}\n- **Description:** Do the work of step {n},\n  \
         carefully, and write down\n  - what was done\n  - what is left\n\n#### Acceptance Criteria\n- [ ] it works\n\
         - [x] it is written down, in the words of those who asked for it\n\n#### Notes\nSeen first by those who keep \
         the books; **not** urgent for them. See `docs/steps/{n}.md` and [the list](https://example.org/{n}), both \
         older than this plan.\n\n#### Validation\nTests:\n```bash\n\
         cargo test # all of them, also the slow ones\n```\n\n",
        n % 4
    );
}

/// An instance in a temporary folder with one runtime, a program of its own.
pub struct Scene {
    folder: TempDir,
}

impl Scene {
    /// Makes it. `slots` workers at once; the runtime runs `command`.
    pub fn make(slots: usize, command: &str, queue: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("figures-").tempdir()?;
        let config = format!(
            "[scheduler]\nmax_concurrent = {slots}\n\n[logging]\nlevel = \"warn\"\n\n[reports]\nconsole = \"off\"\n\n\
             [[tiers]]\nname = \"haiku\"\nmodel = \"none\"\nruntimes = [\"worker\"]\nmax_concurrent = {slots}\n\n\
             [runtimes.worker]\nkind = \"command\"\ncommand = [\"{command}\"]\n"
        );
        for (name, text) in [
            ("orchestrator.toml", config.as_str()),
            ("PROACTIVE-JOBS.md", queue),
        ] {
            fs::write(folder.path().join(name), text)?;
        }
        for name in ["jobs", "agents", "heartbeats", "progress", ".orchestrator"] {
            fs::create_dir(folder.path().join(name))?;
        }
        Ok(Self { folder })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Its queue file.
    pub fn queue(&self) -> PathBuf {
        self.root().join("PROACTIVE-JOBS.md")
    }

    /// Adds sections to its configuration.
    pub fn add_to_configuration(&self, text: &str) -> anyhow::Result<()> {
        let path = self.root().join("orchestrator.toml");
        let configured = fs::read_to_string(&path)?;
        Ok(fs::write(path, configured + text)?)
    }

    /// Replaces the queue file by renaming a new one over it, as editors do.
    pub fn replace_queue(&self, text: &str) -> anyhow::Result<()> {
        let new = self.root().join(".new-queue");
        fs::write(&new, text)?;
        fs::rename(&new, self.queue())?;
        Ok(())
    }

    /// Opens it as the program does, its runtimes looked for.
    pub async fn open(&self) -> anyhow::Result<Arc<Instance>> {
        let (home, environment) = (Home::at(self.root()), Environment::capture());
        let loaded = config::load(&home, &environment, &[])
            .map_err(|faults| anyhow::anyhow!("the configuration is wrong: {faults:?}"))?;
        let opening = Opening {
            layout: home.layout(),
            config: loaded.config,
            clock: Clock::system(),
            exe: PROGRAM.into(),
            environment: environment.variables().clone(),
            reports_on_console: false,
        };
        let instance = Arc::new(Instance::open(opening, OpenMode::Migrate).await?);
        instance.fleet.probe().await;
        Ok(instance)
    }
}

/// A worker that notes the moment at which it runs in `folder`, leaves a file, and says that it is done.
pub fn no_op_worker(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("worker.sh");
    let starts = folder.display();
    let script = format!(
        "#!/bin/sh\ndate +%s%N > '{starts}/'\"$ORCHESTRATOR_TASK_ID\".new\n\
         mv '{starts}/'\"$ORCHESTRATOR_TASK_ID\".new '{starts}/'\"$ORCHESTRATOR_TASK_ID\".started\necho done > done.txt\n"
    );
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// A section for a task that the no-op worker can do.
pub fn section(id: &str, workspace: Option<&Path>) -> String {
    let workspace = workspace.map_or_else(String::new, |w| format!("- **Workspace:** {}\n", w.display()));
    format!(
        "### {id}: Nothing to speak of\n{workspace}- **Description:** Leave a file.\n- **Status:** pending\n\n\
         #### Validation\n```sh\ntest -f done.txt\n```\n\n"
    )
}

/// A small git repository with one commit.
pub fn repository(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("repository");
    fs::create_dir_all(path.join("src"))?;
    for n in 0..50 {
        fs::write(
            path.join(format!("src/file-{n}.txt")),
            format!("{n}\n").repeat(200),
        )?;
    }
    let names = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &["commit", "--quiet", "-m", "First"],
    ] {
        let done = std::process::Command::new("git")
            .args(names)
            .args(args)
            .current_dir(&path)
            .status()?;
        anyhow::ensure!(done.success(), "git {args:?} failed");
    }
    Ok(path)
}

/// The same kind of executor as the program's own.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
