//! `backup` and `restore`: what lies in a backup, and what differs after it was put back.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::look::{BOLD, CYAN, GREEN, Look, YELLOW};
use super::table::{Cell, Column, Row, table};
use super::{age, text};
use crate::domain::restore::Divergence;
use crate::service::operations::restore::Written;
use crate::service::view::VERSION;
use crate::store::backup::Manifest;

/// What a restore found, and did.
pub struct Found<'a> {
    /// The backup; none where the store is looked at as it is.
    pub of: Option<(&'a Path, &'a Manifest)>,
    /// What was done; none where nothing was changed.
    pub put: Option<Put>,
    /// What differs.
    pub divergences: &'a [Divergence],
}

/// What a restore did.
pub struct Put {
    /// The store.
    pub into: String,
    /// Where what it held before is now.
    pub aside: Option<String>,
    /// The files beside it.
    pub files: Written,
}

fn summary(path: &Path, manifest: &Manifest) -> Value {
    json!({
        "file": path.display().to_string(),
        "made_at": manifest.made_at,
        "program": manifest.program,
        "schema": manifest.schema,
        "engine": manifest.engine,
        "of": manifest.of,
        "tables": manifest.tables,
        "files": manifest.files,
    })
}

/// `backup --json`.
pub fn made(path: &Path, manifest: &Manifest) -> Value {
    json!({ "version": VERSION, "backup": summary(path, manifest) })
}

/// The page of `backup`.
pub fn backup(path: &Path, manifest: &Manifest, look: &Look) -> String {
    let tasks = rows(manifest, "task");
    let (tasks, events) = (
        text::count(tasks, "task"),
        text::count(rows(manifest, "event_log"), "event"),
    );
    let files = text::count(manifest.files.len(), "file");
    format!(
        "{}: {tasks}, {events}, {files}, each with its digest\n",
        look.paint(BOLD, &path.display().to_string())
    )
}

fn rows(manifest: &Manifest, table: &str) -> usize {
    let part = manifest.tables.iter().find(|part| part.name == table);
    part.map_or(0, |part| usize::try_from(part.size).unwrap_or(usize::MAX))
}

/// `restore --json`.
pub fn document(found: &Found<'_>) -> Value {
    json!({
        "version": VERSION,
        "backup": found.of.map(|(path, manifest)| summary(path, manifest)),
        "restored": found.put.is_some(),
        "into": found.put.as_ref().map(|put| &put.into),
        "aside": found.put.as_ref().and_then(|put| put.aside.as_ref()),
        "files": found.put.as_ref().map(|put| &put.files),
        "divergences": found.divergences,
    })
}

/// The page of `restore`.
pub fn restore(found: &Found<'_>, look: &Look) -> String {
    let mut page = String::new();
    if let Some((path, manifest)) = found.of {
        let state = if found.put.is_some() { "restored" } else { "sound" };
        let tasks = text::count(rows(manifest, "task"), "task");
        let made = age::ago(look.now, manifest.made_at);
        let name = look.paint(BOLD, &path.display().to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{name} is {state}: {tasks}, made {made} of {}", manifest.of);
    }
    if let Some(put) = &found.put {
        page.push_str(&done(put));
    }
    page.push_str(&divergences(found.divergences, look));
    let _ = match &found.put {
        Some(_) => writeln!(
            page,
            "{}",
            look.paint(
                YELLOW,
                "Everything is held. When you have read this: `orchestrator start`, and the service."
            )
        ),
        None => writeln!(page, "Nothing was changed."),
    };
    page
}

fn done(put: &Put) -> String {
    let mut page = format!("It is in {} now.\n", put.into);
    if let Some(aside) = &put.aside {
        let _ = writeln!(
            page,
            "What was there before is in {aside}; remove it when you are content."
        );
    }
    let Written { written, kept } = &put.files;
    if !written.is_empty() {
        let _ = writeln!(page, "Written, because they were missing: {}", written.join(", "));
    }
    if !kept.is_empty() {
        let _ = writeln!(
            page,
            "Left as they are, though the backup has others: {}",
            kept.join(", ")
        );
    }
    page
}

fn divergences(found: &[Divergence], look: &Look) -> String {
    if found.is_empty() {
        return look.paint(GREEN, "Store and world agree.") + "\n";
    }
    let columns = [Column::new("TASK", 30), Column::new("", 16), Column::new("", 400)];
    let mut rows = Vec::new();
    for one in found {
        rows.push(Row::Tall(vec![
            one.task.as_ref().map_or("", |task| task.as_str()).into(),
            Cell::new(one.kind.as_str(), YELLOW),
            one.what.as_str().into(),
        ]));
        let then = format!("→ {}", one.then);
        rows.push(Row::Tall(vec!["".into(), "".into(), Cell::new(&then, CYAN)]));
    }
    let count = text::count(found.len(), "divergence");
    format!("{count}:\n{}", table(&columns, &rows, look))
}
