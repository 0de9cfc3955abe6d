//! Many workers at once: what watching them costs, what a flood beside them does to them, how soon a cancelled one is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chatter::{CHATTER, FLOOD};
use super::figure::{Figure, Unit};
use super::machine::field;
use super::scene::{Scene, section};
use super::service::{Up, run, until};

/// Workers at once, unless `FIGURES_WORKERS` says otherwise.
const WORKERS: usize = 200;
/// Neighbours of a flood.
const NEIGHBOURS: usize = 10;
/// Cancelled ones.
const CANCELS: usize = 40;
/// How long they are left alone first.
const REST: Duration = Duration::from_secs(5);
/// How long they are looked at.
const LOOK: Duration = Duration::from_secs(20);
/// How long starting and stopping them may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Resident in the orchestrator, in bytes.
const MEMORY_GOAL: f64 = 60e6;
/// Of one core, in the orchestrator.
const CPU_GOAL: f64 = 0.5;
/// From the command to the last descendant's end, in seconds.
const GONE_GOAL: f64 = 2.0;

/// An instance whose tasks run `script`.
struct Crew {
    scene: Scene,
    _outside: tempfile::TempDir,
    pids: PathBuf,
}

impl Crew {
    /// `n` tasks `w-0`…; each worker's script may note processes in the file `$pids`.
    fn make(n: usize, script: &str, more: &str) -> anyhow::Result<Self> {
        let outside = tempfile::tempdir()?;
        let (worker, pids) = (outside.path().join("worker.sh"), outside.path().join("pids"));
        let head = format!("#!/bin/sh\npids='{}'\n", pids.display());
        fs::write(&worker, head + script)?;
        fs::set_permissions(&worker, fs::Permissions::from_mode(0o755))?;
        let sections: String = (0..n).map(|n| section(&format!("w-{n}"), None)).collect();
        let queue = format!("# Jobs\n\n## Active Tasks\n\n{sections}## Archived Tasks\n");
        let scene = Scene::make(n, &worker.display().to_string(), &queue)?;
        let config = scene.root().join("orchestrator.toml");
        fs::write(&config, fs::read_to_string(&config)? + more)?;
        Ok(Self {
            scene,
            _outside: outside,
            pids,
        })
    }

    fn noted(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.pids).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn until_noted(&self, n: usize) -> anyhow::Result<()> {
        until("the workers run", PATIENCE, || self.noted().len() >= n)
    }

    fn stop(&self) -> anyhow::Result<()> {
        run(self.scene.root(), &["stop", "--all"])?;
        until("the workers are gone", PATIENCE, || {
            !self.noted().iter().any(|pid| is_alive(pid))
        })
    }

    /// Files of this name in the attempts' folders.
    fn files(&self, name: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for task in fs::read_dir(self.scene.root().join(".orchestrator/attempts"))? {
            let task = task?;
            let path = task.path().join("1").join(name);
            found.push((task.file_name().to_string_lossy().into_owned(), path));
        }
        Ok(found)
    }

    fn supervisors(&self) -> anyhow::Result<Vec<u64>> {
        let pid = |(_, path): (String, PathBuf)| {
            let value: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
            let pid = value["supervisor"]["pid"].as_u64();
            pid.ok_or_else(|| anyhow::anyhow!("a supervisor without a number"))
        };
        self.files("supervisor.json")?.into_iter().map(pid).collect()
    }
}

fn is_alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).join("exe").exists()
        && !field(&format!("/proc/{pid}/status"), "State").is_some_and(|state| state.trim().starts_with('Z'))
}

fn role(name: &str) -> anyhow::Result<String> {
    let this = std::env::current_exe()?;
    Ok(format!(
        "echo $$ >> \"$pids\"\nexec '{}' {name}\n",
        this.display()
    ))
}

/// What it costs to watch many workers that talk all the time.
pub fn watching() -> anyhow::Result<Vec<Figure>> {
    let n = std::env::var("FIGURES_WORKERS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(WORKERS);
    let crew = Crew::make(n, &role(CHATTER)?, "[limits]\noutput = \"10GB\"\n")?;
    let up = Up::start(&crew.scene)?;
    crew.until_noted(n)?;
    std::thread::sleep(REST);
    let supervisors = crew.supervisors()?;
    let cpu_of_all = || supervisors.iter().map(|pid| cpu(*pid)).sum::<f64>();
    let (begun, before, theirs) = (Instant::now(), up.cpu()?, cpu_of_all());
    std::thread::sleep(LOOK);
    let took = begun.elapsed().as_secs_f64();
    let share = (up.cpu()? - before).as_secs_f64() / took;
    let theirs = (cpu_of_all() - theirs) / took;
    let what = format!("{n} workers, 50 lines/s each");
    let share_of = |whose: &str| format!("{what}: share of a core, {whose}");
    let proportional = supervisors.iter().map(|pid| memory(*pid)).collect();
    let figures = vec![
        Figure::new(share_of("`up`"), Unit::Share, vec![share]).below(CPU_GOAL),
        Figure::new(share_of("all supervisors"), Unit::Share, vec![theirs]),
        Figure::new(
            format!("{what}: resident memory, `up`"),
            Unit::Memory,
            vec![up.memory()?],
        )
        .below(MEMORY_GOAL),
        Figure::new(
            format!("{what}: memory of a supervisor"),
            Unit::Memory,
            proportional,
        ),
    ];
    crew.stop()?;
    Ok(figures)
}

/// Seconds on a core; 0 for one that is gone.
fn cpu(pid: u64) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

/// What it takes for itself, with its part of what it shares; in bytes.
fn memory(pid: u64) -> f64 {
    let text = field(&format!("/proc/{pid}/smaps_rollup"), "Pss").unwrap_or_default();
    let kilobytes = text.trim().trim_end_matches(" kB").trim().parse::<f64>();
    kilobytes.unwrap_or_default() * 1024.0
}

/// How late workers get their lines out, alone and beside one that writes as fast as it can.
pub fn flood() -> anyhow::Result<Vec<Figure>> {
    let quiet = lateness(&role(CHATTER)?, NEIGHBOURS)?;
    let flooded = format!(
        "case $ORCHESTRATOR_TASK_ID in w-0) {} ;; esac\n{}",
        role(FLOOD)?,
        role(CHATTER)?
    );
    let beside = lateness(&flooded, NEIGHBOURS + 1)?;
    Ok(vec![
        Figure::times("a line's lateness, ten workers", &quiet),
        Figure::times("a line's lateness, ten workers beside a flood", &beside),
    ])
}

fn lateness(script: &str, workers: usize) -> anyhow::Result<Vec<Duration>> {
    let crew = Crew::make(workers, script, "[limits]\noutput = \"100GB\"\n")?;
    let _up = Up::start(&crew.scene)?;
    crew.until_noted(workers)?;
    std::thread::sleep(REST);
    let chatters = crew.files("stdout.log")?;
    let length = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let begun: Vec<u64> = chatters.iter().map(|(_, path)| length(path)).collect();
    std::thread::sleep(LOOK);
    let mut samples = Vec::new();
    for ((_, path), from) in chatters.iter().zip(begun) {
        // The flood's own file is longer than any that tells of lateness.
        if length(path) < 100_000_000 {
            let text = fs::read(path)?;
            samples.extend(late(&text[usize::try_from(from)?.min(text.len())..]));
        }
    }
    crew.stop()?;
    Ok(samples)
}

fn late(lines: &[u8]) -> Vec<Duration> {
    let text = String::from_utf8_lossy(lines);
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter_map(|line| line["late_us"].as_u64())
        .map(Duration::from_micros)
        .collect()
}

/// From the start of `cancel ID` to the end of the last of a tree that does what it can to stay.
pub fn cancel() -> anyhow::Result<Vec<Figure>> {
    let script = "stub() { trap '' TERM INT HUP; echo \"$ORCHESTRATOR_TASK_ID $$\" >> \"$pids\"; while :; do sleep 0.2; done; }\n\
        if [ \"$1\" = stub ]; then stub; fi\n\
        setsid sh \"$0\" stub &\n(setsid sh \"$0\" stub &)\n(env -i PATH=\"$PATH\" ORCHESTRATOR_TASK_ID=$ORCHESTRATOR_TASK_ID setsid sh \"$0\" stub &)\n\
        (nohup sh \"$0\" stub > /dev/null 2>&1 &)\nexec sh \"$0\" stub\n";
    let crew = Crew::make(CANCELS, script, "")?;
    let _up = Up::start(&crew.scene)?;
    crew.until_noted(5 * CANCELS)?;
    std::thread::sleep(REST);
    let noted = crew.noted();
    let mut samples = Vec::new();
    for n in 0..CANCELS {
        let id = format!("w-{n}");
        let of_it = |line: &String| line.strip_prefix(&format!("{id} ")).map(str::to_owned);
        let family: Vec<String> = noted.iter().filter_map(of_it).collect();
        anyhow::ensure!(family.len() == 5, "{id} has {} processes", family.len());
        let begun = Instant::now();
        run(crew.scene.root(), &["cancel", &id])?;
        until("its processes are gone", PATIENCE, || {
            !family.iter().any(|pid| is_alive(pid))
        })?;
        samples.push(begun.elapsed());
    }
    Ok(vec![
        Figure::times("cancel to the last descendant's end", &samples).below(GONE_GOAL),
    ])
}
