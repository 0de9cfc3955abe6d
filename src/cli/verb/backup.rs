//! `backup` and `restore`.

use std::path::Path;
use std::sync::Arc;

use super::super::args::house::{Backup, Restore};
use super::super::exit::{Failure, Outcome};
use super::super::render::backup as page;
use super::ground::{Ground, of_store};
use crate::config::{Home, Override};
use crate::files::InstanceLock;
use crate::service::instance::{Instance, STOPPED};
use crate::service::operations::restore::{self, Restored};
use crate::service::view::Stopped;
use crate::store::OpenMode;
use crate::store::backup::{self, BackupError, Manifest};
use crate::store::carry::CarryError;

/// Where backups go that nobody names a place for.
const FOLDER: &str = "backups";

pub(super) async fn backup(ground: &Ground, args: Backup) -> Outcome {
    ground.persons_alone()?;
    let home = ground.home()?;
    let loaded = ground.config(&home)?;
    ground.log(&loaded)?;
    let layout = home.layout();
    let name = format!(
        "orchestrator-{}.backup",
        ground.clock.now().format("%Y%m%dT%H%M%S")
    );
    let to = match args.to {
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file,
        None => layout.root().join(FOLDER).join(name),
    };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
    }
    let files = restore::kept(&layout).map_err(failure)?;
    let address = loaded.config.store.address(&layout);
    let manifest = backup::take(&address, &files, &to, ground.clock.now())
        .await
        .map_err(failure)?;
    ground.show(&page::made(&to, &manifest), |look| {
        page::backup(&to, &manifest, look)
    })
}

pub(super) async fn restore(ground: &Ground, args: Restore) -> Outcome {
    ground.persons_alone()?;
    let home = ground.home()?;
    let Some(file) = args.file else {
        let instance = ground.any_instance().await?;
        return compared(ground, &instance, None).await;
    };
    let manifest = backup::verify(&file).await.map_err(failure)?;
    if args.check {
        return check(ground, &home, &file, &manifest).await;
    }
    put_back(ground, &home, &file, manifest, args.replace).await
}

/// What the store of this instance says, beside what there is.
async fn compared(ground: &Ground, instance: &Instance, of: Option<(&Path, &Manifest)>) -> Outcome {
    let divergences = restore::divergences(instance).await.map_err(of_store)?;
    let found = page::Found {
        of,
        put: None,
        divergences: &divergences,
    };
    ground.show(&page::document(&found), |look| page::restore(&found, look))
}

/// The same of a store that a backup would become. Nothing of it stays.
async fn check(ground: &Ground, home: &Home, file: &Path, manifest: &Manifest) -> Outcome {
    let state = home.layout().state();
    let unpacked = backup::unpack(file, &state).await.map_err(failure)?;
    let url = format!("sqlite:{}", unpacked.path().display());
    let loaded = ground.config_with(home, &[Override::flag("FILE", "store.url", url)])?;
    ground.log(&loaded)?;
    let instance = ground.open(home, loaded, OpenMode::Existing).await?;
    let shown = compared(ground, &instance, Some((file, manifest))).await;
    instance.store.close().await;
    shown
}

async fn put_back(ground: &Ground, home: &Home, file: &Path, manifest: Manifest, replace: bool) -> Outcome {
    let loaded = ground.config(home)?;
    ground.log(&loaded)?;
    let layout = home.layout();
    let _lock = InstanceLock::acquire(&layout.lock())
        .map_err(|held| Failure::refused(held.to_string()).help("end the service first"))?;
    let address = loaded.config.store.address(&layout);
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let by = format!("{}{name} by {}", Stopped::RESTORE, ground.person());
    let order = backup::Restore {
        backup: file,
        work: &layout.state(),
        replace,
        hold: (STOPPED, &by.into()),
        now: ground.clock.now(),
    };
    let put = backup::put_back(&order, &address).await.map_err(failure)?;
    let files = backup::files(file).await.map_err(failure)?;
    let files = restore::write_back(&layout, &files).map_err(failure)?;
    let instance = ground.open(home, loaded, OpenMode::Existing).await?;
    let mut divergences = restore::divergences(&instance).await.map_err(of_store)?;
    restore::settle(&instance, &mut divergences)
        .await
        .map_err(of_store)?;
    let restored = Restored {
        backup: name,
        made_at: manifest.made_at,
        divergences: divergences.len(),
    };
    restore::remember(&instance, &restored).await.map_err(of_store)?;
    close(&instance).await;
    let found = page::Found {
        of: Some((file, &manifest)),
        put: Some(page::Put {
            into: address.to_string(),
            aside: put.aside,
            files,
        }),
        divergences: &divergences,
    };
    ground.show(&page::document(&found), |look| page::restore(&found, look))
}

async fn close(instance: &Arc<Instance>) {
    instance.store.announce().await;
    instance.store.close().await;
}

fn failure(error: BackupError) -> Failure {
    let text = error.to_string();
    match error {
        BackupError::Store(error) | BackupError::Carry(CarryError::Store(error)) => of_store(error),
        BackupError::Exists(_) | BackupError::Occupied { .. } | BackupError::InUse { .. } => {
            Failure::refused(text)
        }
        BackupError::Foreign(_) | BackupError::Newer { .. } => Failure::usage(text),
        BackupError::File { .. } | BackupError::Damaged { .. } | BackupError::Carry(_) => {
            Failure::failed(text)
        }
    }
}
