//! Reading and writing the queue file.

use orchestrator::format::queue::{Document, Edit, Known, StatusField, apply, read};

use super::figure::{Figure, time};
use super::scene::queue_file;

/// Parse, read, and write back.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let (real, large) = (queue_file(150, true), queue_file(10_000, true));
    let known = Known::default();
    let all: Vec<Edit> = Document::parse(large.clone().into_bytes())
        .sections()
        .iter()
        .map(|s| Edit::SetFields {
            id: s.id.clone(),
            fields: vec![(StatusField::Status, "in-progress".to_owned())],
        })
        .collect();
    let one = [all[all.len() / 4].clone()];
    anyhow::ensure!(all.len() == 10_000, "the file has {} tasks", all.len());
    anyhow::ensure!(
        apply(large.as_bytes(), &all).missed.is_empty(),
        "an edit was missed"
    );
    let size = |text: &str| format!("{:.0} KB", text.len() as f64 / 1e3);
    Ok(vec![
        Figure::times(
            format!("read 150 tasks ({}) to definitions and diagnostics", size(&real)),
            &time(200, || read("f", real.clone().into_bytes(), &known)),
        ),
        Figure::times(
            format!("parse 10,000 tasks ({})", size(&large)),
            &time(20, || Document::parse(large.clone().into_bytes())),
        ),
        Figure::times(
            "read 10,000 tasks to definitions and diagnostics",
            &time(10, || read("f", large.clone().into_bytes(), &known)),
        ),
        Figure::times(
            "parse 10,000 tasks and write one status back",
            &time(20, || apply(large.as_bytes(), &one)),
        ),
        Figure::times(
            "parse 10,000 tasks and write every status back",
            &time(10, || apply(large.as_bytes(), &all)),
        ),
    ])
}
