//! `evidence ID [NAME] [--to DIR]`: what the gate kept for people to look at, listed or copied out.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::json;

use super::super::args::look::Evidence as Args;
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render;
use super::ground::{Ground, of_store};
use super::look::unknown;
use crate::domain::exhibit::slug;
use crate::files::atomic;
use crate::service::operations;
use crate::service::view::{Evidence, ExhibitView, KeptView};

pub(super) async fn evidence(ground: &Ground, args: Args) -> Outcome {
    let instance = ground.any_instance().await?;
    let found = operations::evidence(&instance, &args.id)
        .await
        .map_err(of_store)?;
    let mut found = found.ok_or_else(|| unknown(&args.id))?;
    choose(&mut found, args.name.as_deref())?;
    let Some(to) = args.to else {
        return ground.show(&found, |look| render::evidence::evidence(&found.evidence, look));
    };
    let to = ground.current_dir()?.join(to);
    let copied = copy(&found.evidence, &to)?;
    if ground.common.json {
        let document =
            json!({ "version": found.version, "id": found.id, "commit": found.commit, "copied": copied });
        return ground.show(&document, |_| String::new());
    }
    let page: String = copied.iter().map(|path| render::evidence::copied(path)).collect();
    super::print(&page)?;
    Ok(Exit::Done)
}

/// Leaves what is named; all of it where nothing is.
fn choose(found: &mut Evidence, name: Option<&str>) -> Result<(), Failure> {
    if found.evidence.is_empty() {
        let what = format!("the gate kept no evidence of '{}'", found.id);
        let help = "a task names it by `Evidence:`, its job by `evidence:`; it is made when the gate runs";
        return Err(Failure::not_found(what).help(help));
    }
    let Some(name) = name else { return Ok(()) };
    let names: Vec<String> = found.evidence.iter().map(|e| e.name.clone()).collect();
    let is_it = |e: &ExhibitView| e.name == name || slug(&e.name) == slug(name);
    found.evidence.retain(is_it);
    if found.evidence.is_empty() {
        let what = format!("there is no evidence '{name}' of '{}'", found.id);
        return Err(Failure::not_found(what).help(format!("there are: {}", names.join(", "))));
    }
    Ok(())
}

/// Copies the files to `DIR/NAME/PATH`.
fn copy(evidence: &[ExhibitView], to: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut copied = Vec::new();
    for exhibit in evidence {
        let own = to.join(slug(&exhibit.name));
        for file in &exhibit.files {
            let put = put(file, &own);
            copied.push(put.map_err(|error| Failure::failed(format!("{}: {error}", file.path)))?);
        }
    }
    Ok(copied)
}

fn put(file: &KeptView, folder: &Path) -> io::Result<PathBuf> {
    let gone = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            "it is not kept any more; the newest evidence stays longest",
        )
    };
    let stored = file.stored.as_ref().ok_or_else(gone)?;
    let path = Path::new(&file.path);
    // What was stored is believed no more than what was found.
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no path below a folder",
        ));
    }
    let target = folder.join(path);
    fs::create_dir_all(target.parent().unwrap_or(folder))?;
    atomic::write(&target, &fs::read(stored)?).map_err(|fault| io::Error::other(fault.to_string()))?;
    Ok(target)
}
