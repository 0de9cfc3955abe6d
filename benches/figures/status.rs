//! The status document of a large instance.

use std::time::Instant;

use orchestrator::service::operations::{Scope, status};

use super::crowd::{Crowds, LIVE};
use super::figure::Figure;
use super::scene::runtime;
use super::service::run;

/// In process, and as a command.
pub fn figures(crowds: &Crowds) -> anyhow::Result<Vec<Figure>> {
    let scene = &crowds.large()?.scene;
    let inside = runtime()?.block_on(async {
        let instance = scene.open().await?;
        let mut samples = Vec::new();
        for _ in 0..30 {
            let begun = Instant::now();
            let document = status(&instance, &Scope::default()).await?;
            let text = serde_json::to_vec(&document)?;
            samples.push(begun.elapsed());
            anyhow::ensure!(
                document.tasks.len() >= LIVE && !text.is_empty(),
                "tasks are missing"
            );
        }
        instance.store.close().await;
        anyhow::Ok(samples)
    })?;
    let mut outside = Vec::new();
    for _ in 0..20 {
        outside.push(run(scene.root(), &["status", "--json"])?.1);
    }
    Ok(vec![
        Figure::times("`status --json`, 1,000 live tasks, in process", &inside),
        Figure::times("`status --json`, 1,000 live tasks, whole process", &outside),
    ])
}
