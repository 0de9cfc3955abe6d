//! The verbs about the house itself: `doctor`, `config`, `migrate`, `completions`.

use super::super::args::help;
use super::super::args::house::{Completions, Config, Migrate};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, doctor as page, migrations, settings};
use super::ground::{Ground, of_store};
use crate::config;
use crate::service::operations;
use crate::store::{StoreError, migrate as schema};

pub(super) async fn doctor(ground: &Ground) -> Outcome {
    let instance = ground.any_instance().await?;
    let found = operations::doctor(&instance).await;
    let findings: Vec<page::Finding> = found.into_iter().map(finding).collect();
    ground.show(&page::document(&findings), |look| page::doctor(&findings, look))?;
    Ok(page::exit(&findings))
}

fn finding(found: operations::Finding) -> page::Finding {
    let level = match found.level {
        operations::Level::Good => page::Level::Ok,
        operations::Level::Warning => page::Level::Warn,
        operations::Level::Bad => page::Level::Fail,
    };
    page::Finding {
        name: found.name,
        level,
        detail: found.detail,
        cure: found.cure,
    }
}

pub(super) fn config(ground: &Ground, verb: Config) -> Outcome {
    let home = ground.home()?;
    if verb == Config::Path {
        return super::print(&format!("{}\n", home.config_file().display()));
    }
    let loaded = ground.config(&home)?;
    if verb == Config::Check {
        return super::print(&format!("{} is right\n", home.config_file().display()));
    }
    let row = |e: &config::Effective| settings::Setting {
        key: e.key.clone(),
        value: e.value.clone(),
        origin: e.origin.to_string(),
    };
    let rows: Vec<settings::Setting> = config::show(&loaded).iter().map(row).collect();
    ground.show(&settings::document(&rows), |look| settings::settings(&rows, look))
}

pub(super) async fn migrate(ground: &Ground, args: Migrate) -> Outcome {
    let home = ground.home()?;
    let loaded = ground.config(&home)?;
    let path = loaded.config.store.database(&home.layout());
    if args.check {
        return match schema::check(&path).await {
            Ok(()) => super::print("the store is at this program's version\n"),
            Err(error @ (StoreError::OlderSchema { .. } | StoreError::Missing { .. })) => {
                Err(Failure::failed(error.to_string()).help("`orchestrator migrate` brings it up to date"))
            }
            Err(error) => Err(of_store(error)),
        };
    }
    if args.plan {
        let steps = schema::plan(&path).await.map_err(of_store)?;
        return show_steps(ground, &steps);
    }
    let ran = schema::apply(&path).await.map_err(of_store)?;
    if ran.is_empty() {
        return super::print("nothing to do: the store is at this program's version\n");
    }
    show_steps(ground, &ran)
}

fn show_steps(ground: &Ground, steps: &[schema::MigrationStep]) -> Outcome {
    let step = |s: &schema::MigrationStep| migrations::Step {
        number: s.version,
        name: s.name.clone(),
        standing: if s.applied {
            migrations::Standing::Applied
        } else {
            migrations::Standing::Pending
        },
        applied_at: None,
    };
    let steps: Vec<migrations::Step> = steps.iter().map(step).collect();
    ground.show(&migrations::document(&steps), |look| {
        render::migrations::migrations(&steps, look)
    })
}

pub(super) fn completions(args: Completions) -> Outcome {
    clap_complete::generate(
        args.shell,
        &mut help::command(),
        "orchestrator",
        &mut std::io::stdout(),
    );
    Ok(Exit::Done)
}
