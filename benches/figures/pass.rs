//! A pass of the engine over a large instance: it should cost what changed, not what exists.

use std::fs;
use std::time::{Duration, Instant};

use orchestrator::service::engine::Engine;

use super::crowd::{Crowds, LIVE, settle};
use super::figure::Figure;
use super::scene::runtime;
use super::service::run;

/// A pass with nothing to do, one after an edit, a whole `tick`.
pub fn figures(crowds: &Crowds) -> anyhow::Result<Vec<Figure>> {
    let crowd = crowds.large()?;
    let scene = &crowd.scene;
    let original = fs::read_to_string(scene.queue())?;
    let (loads, idle, edited) = runtime()?.block_on(async {
        let instance = scene.open().await?;
        let mut loads = Vec::new();
        for _ in 0..10 {
            let begun = Instant::now();
            let engine = Engine::load(instance.clone()).await?;
            loads.push(begun.elapsed());
            engine.leave().await?;
        }
        let mut engine = Engine::load(instance.clone()).await?;
        settle(&mut engine, &instance).await?;
        let (mut idle, mut edited) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            idle.push(pass(&mut engine).await?);
        }
        for n in 0..30 {
            let words = format!("Do the work of step {},", n * 3);
            scene.replace_queue(&original.replace(&words, &format!("{words} anew,")))?;
            edited.push(pass(&mut engine).await?);
            settle(&mut engine, &instance).await?;
        }
        engine.leave().await?;
        instance.store.close().await;
        anyhow::Ok((loads, idle, edited))
    })?;
    let mut ticks = Vec::new();
    for _ in 0..10 {
        ticks.push(run(scene.root(), &["tick"])?.1);
    }
    Ok(vec![
        Figure::times(
            format!("take in {LIVE} new sections, all assessed or waiting"),
            &[crowd.taken_in],
        ),
        Figure::times(
            "load the engine: 1,000 live tasks beside 100,000 archived",
            &loads,
        ),
        Figure::times("pass with nothing to do, same instance", &idle),
        Figure::times(
            "pass that takes in an edit of one section, same instance",
            &edited,
        ),
        Figure::times("`tick` with nothing to do, whole process, same instance", &ticks),
    ])
}

async fn pass(engine: &mut Engine) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    engine.pass().await?;
    Ok(begun.elapsed())
}
