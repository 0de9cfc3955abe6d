//! `init`: makes an instance of a folder, and never overwrites anything.

use std::path::Path;

use super::super::args::house::Init;
use super::super::exit::{Failure, Outcome};
use super::ground::Ground;
use crate::config::{Home, home, template::TEMPLATE};
use crate::files::atomic;

/// The queue of a fresh instance.
const QUEUE: &str = include_str!("init_queue.md");

/// The jobs of a fresh instance.
const JOBS: [(&str, &str); 4] = [
    ("fix-bug.md", include_str!("../../../jobs/fix-bug.md")),
    (
        "implement-feature.md",
        include_str!("../../../jobs/implement-feature.md"),
    ),
    ("write-tests.md", include_str!("../../../jobs/write-tests.md")),
    (
        "research-report.md",
        include_str!("../../../jobs/research-report.md"),
    ),
];

/// The agents of a fresh instance.
const AGENTS: [(&str, &str); 6] = [
    ("researcher.md", include_str!("../../../agents/researcher.md")),
    ("builder.md", include_str!("../../../agents/builder.md")),
    ("planner.md", include_str!("../../../agents/planner.md")),
    ("merger.md", include_str!("../../../agents/merger.md")),
    ("medic.md", include_str!("../../../agents/medic.md")),
    ("reviewer.md", include_str!("../../../agents/reviewer.md")),
];

/// What git should not see of an instance.
const IGNORED: &str = ".orchestrator/\nheartbeats/*.json\n";

pub(super) fn init(ground: &Ground, args: Init) -> Outcome {
    let dir = match args.dir.or_else(|| ground.common.home.clone()) {
        Some(dir) => dir,
        None => ground.current_dir()?,
    };
    let there = dir.join(home::CONFIG_FILE).exists();
    make(&dir)?;
    let word = if there {
        "is an instance already; what was missing is there now"
    } else {
        "is an instance now"
    };
    super::print(&format!(
        "{} {word}\n\n  orchestrator doctor      what it needs\n  orchestrator add ID …    a first task (or edit PROACTIVE-JOBS.md)\n  orchestrator up          run\n",
        dir.display()
    ))
}

/// Makes everything that is missing.
pub(super) fn make(dir: &Path) -> Result<(), Failure> {
    let refused = |e: &dyn std::fmt::Display| {
        Failure::failed(format!("cannot make an instance: {e}"))
            .at(dir.display())
            .help("choose a folder that you may write")
    };
    std::fs::create_dir_all(dir).map_err(|e| refused(&e))?;
    let layout = Home::at(dir).layout();
    for folder in layout.folders() {
        std::fs::create_dir_all(&folder).map_err(|e| refused(&e))?;
    }
    let jobs = JOBS.map(|(name, text)| (layout.jobs().join(name), text));
    let agents = AGENTS.map(|(name, text)| (layout.agents().join(name), text));
    let files = [
        (layout.config_file(), TEMPLATE),
        (layout.queue_file(), QUEUE),
        (dir.join(".gitignore"), IGNORED),
    ];
    for (path, text) in files.into_iter().chain(jobs).chain(agents) {
        if !path.exists() {
            atomic::write(&path, text.as_bytes()).map_err(|e| refused(&e))?;
        }
    }
    Ok(())
}
