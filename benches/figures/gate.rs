//! What the gate itself takes, besides its checks: the whole run less the time of the checks' own receipts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use orchestrator::domain::gate::{Category, CheckSource, CheckSpec, Verdict};
use orchestrator::domain::id::TaskId;
use orchestrator::gate::{Asked, Confine, Gate, GateRequest, Rules};
use orchestrator::service::instance::Instance;
use orchestrator::workspace::{Spares, Workspace};

use super::figure::Figure;
use super::scene::{Scene, runtime};

/// Files of the repository.
const FILES: usize = 5000;
/// Gates a figure.
const GATES: usize = 30;
/// What the gate may add to its checks, in seconds.
const GOAL: f64 = 0.15;

/// With a spare checkout, as from the second gate of a repository on; and without one.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let outside = tempfile::tempdir()?;
    let repository = repository(outside.path())?;
    let scene = Scene::make(2, "true", "# Jobs\n\n## Active Tasks\n\n## Archived Tasks\n")?;
    runtime()?.block_on(async {
        let instance = scene.open().await?;
        let task = TaskId::parse("t")?;
        let named = repository.display().to_string();
        let workspace = instance.workspaces.prepare(&task, Some(&named), "T", &[]).await?;
        instance.spares.keep();
        let bench = Bench {
            instance: &instance,
            workspace: &workspace,
            repository: &repository,
        };
        let spare = bench.samples(Some(&instance.spares)).await?;
        instance.spares.end().await;
        // The last: file systems that look for inodes that were not freed a moment ago (ext4) get slower with each one.
        let fresh = bench.samples(None).await?;
        Ok(vec![
            Figure::times("a gate besides its checks, 5,000 files", &spare).below(GOAL),
            Figure::times("the same without a spare checkout", &fresh),
        ])
    })
}

struct Bench<'a> {
    instance: &'a Instance,
    workspace: &'a Workspace,
    repository: &'a Path,
}

impl Bench<'_> {
    async fn samples(&self, spares: Option<&Spares>) -> anyhow::Result<Vec<Duration>> {
        let mut samples = Vec::with_capacity(GATES);
        // The first one, which tries the sandbox, does not count.
        for n in 0..=GATES {
            let text = format!("work {n} {}\n", spares.is_some());
            fs::write(self.workspace.root.join("src/m001/new.rs"), &text)?;
            fs::write(self.workspace.root.join("src/m002/file_100.rs"), &text)?;
            git(&self.workspace.root, &["add", "-A"])?;
            git(&self.workspace.root, &["commit", "--quiet", "-m", &text])?;
            if let Some(spares) = spares {
                spares.lay_soon(self.workspace);
                spares.settled().await;
                // Laid while a worker works, it is older than its gate.
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            let took = self.gate(spares).await?;
            samples.push(took);
            // The checkout goes after the verdict; that is not to be part of the next sample.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(samples.split_off(1))
    }

    async fn gate(&self, spares: Option<&Spares>) -> anyhow::Result<Duration> {
        let cells = self.instance.containment.gate(&self.workspace.task);
        let checks = [CheckSpec {
            name: "check".to_owned(),
            category: Category::Functionality,
            run: "test -e src/m001/new.rs".to_owned(),
            timeout: None,
            source: CheckSource::Task,
        }];
        let clock = self.instance.clock.clone();
        let begun = Instant::now();
        let (task, named) = (&self.workspace.task, self.repository.display().to_string());
        let workspaces = &self.instance.workspaces;
        let workspace = workspaces.prepare(task, Some(&named), "T", &[]).await?;
        let commit = workspace.head().await?;
        let request = GateRequest {
            workspace: &workspace,
            commit: &commit,
            checks: &checks,
            default_timeout: Duration::from_secs(60),
            env: BTreeMap::new(),
            confine: cells.as_ref().map(|cells| cells as &dyn Confine),
            keep: None,
            require_progress: false,
            progress_missing: None,
            worker_entries: 0,
            tests_may_change: false,
            rules: Rules::default(),
            spares,
            asked: Asked::default(),
        };
        let report = Gate.run(&request, &move || clock.now()).await?;
        let whole = begun.elapsed();
        anyhow::ensure!(
            report.verdict() == Verdict::Passed,
            "{}: {report:#?}",
            self.repository.display()
        );
        let own = report.receipts.iter().filter(|r| r.source == CheckSource::Task);
        Ok(whole.saturating_sub(own.map(|r| r.duration).sum()))
    }
}

/// 5,000 files of 60 lines in a hundred folders, packed as a clone is.
fn repository(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let path = folder.join("large");
    for n in 0..FILES {
        let module = path.join(format!("src/m{:03}", n / 50));
        fs::create_dir_all(&module)?;
        let lines: String = (0..60)
            .map(|k| format!("pub fn f{n}_{k}() -> usize {{ {n} + {k} }}\n"))
            .collect();
        fs::write(module.join(format!("file_{n}.rs")), lines)?;
    }
    git(&path, &["init", "--quiet", "--initial-branch=main"])?;
    git(&path, &["add", "."])?;
    git(&path, &["commit", "--quiet", "-m", "First"])?;
    git(&path, &["gc", "--quiet"])?;
    Ok(path)
}

fn git(folder: &Path, args: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("git")
        .args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"])
        .args(args)
        .current_dir(folder)
        .status()?;
    anyhow::ensure!(done.success(), "git {args:?} failed");
    Ok(())
}
