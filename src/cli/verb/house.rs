//! The verbs about the house itself: `doctor`, `config`, `migrate`, `completions`.

use serde_json::json;

use super::super::args::help;
use super::super::args::house::{Completions, Config, Migrate};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, doctor as page, migrations, settings};
use super::ground::{Ground, all_of, of_store};
use crate::config::{self, Fault, Home};
use crate::files::InstanceLock;
use crate::service::operations;
use crate::service::view::{Problem, VERSION};
use crate::store::carry::{self, CarryError};
use crate::store::{StoreAddress, StoreError, migrate as schema};

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
    let file = home.config_file().display().to_string();
    match verb {
        Config::Path => ground.show(&json!({ "version": VERSION, "file": &file }), |_| {
            format!("{file}\n")
        }),
        Config::Check => check(ground, &home, &file),
        Config::Show => show(ground, &home),
    }
}

fn check(ground: &Ground, home: &Home, file: &str) -> Outcome {
    let faults = config::load(home, &ground.environment, &[])
        .err()
        .unwrap_or_default();
    if !faults.is_empty() && !ground.common.json {
        return Err(all_of(&faults));
    }
    let problem = |fault: &Fault| Problem {
        file: fault.file(),
        line: fault.line() as usize,
        column: fault.column() as usize,
        severity: "error".to_owned(),
        code: "configuration".to_owned(),
        message: fault.message.clone(),
        help: fault.help.clone(),
    };
    let problems: Vec<Problem> = faults.iter().map(problem).collect();
    let document = json!({ "version": VERSION, "file": file, "problems": problems });
    ground.show(&document, |_| format!("{file} is right\n"))?;
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::Usage
    })
}

fn show(ground: &Ground, home: &Home) -> Outcome {
    let loaded = ground.config(home)?;
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
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        return carry(ground, &home, from, to).await;
    }
    let loaded = ground.config(&home)?;
    let address = loaded.config.store.address(&home.layout());
    if args.check {
        return match schema::check(&address).await {
            Ok(()) => ground.show(&json!({ "version": VERSION, "current": true }), |_| {
                "the store is at this program's version\n".to_owned()
            }),
            // What would run, and the exit code for scripts.
            Err(StoreError::OlderSchema { .. } | StoreError::Missing { .. }) => {
                let steps = schema::plan(&address).await.map_err(of_store)?;
                show_steps(ground, &steps)?;
                Ok(Exit::Failed)
            }
            Err(error) => Err(of_store(error)),
        };
    }
    if args.baseline {
        let steps = schema::baseline(&address).await.map_err(of_store)?;
        return show_steps(ground, &steps);
    }
    if args.plan {
        let steps = schema::plan(&address).await.map_err(of_store)?;
        return show_steps(ground, &steps);
    }
    let mut ran = schema::apply(&address).await.map_err(of_store)?;
    ran.iter_mut().for_each(|step| step.applied = true);
    if ran.is_empty() && !ground.common.json {
        return super::print("nothing to do: the store is at this program's version\n");
    }
    show_steps(ground, &ran)
}

/// Moves house: from the embedded store to a server.
async fn carry(ground: &Ground, home: &Home, from: &str, to: &str) -> Outcome {
    let address = |flag: &str, text: &str| {
        let given = config::Override::flag(flag, "store.url", text);
        let loaded = config::load(home, &ground.environment, &[given]).map_err(|faults| all_of(&faults))?;
        Ok::<_, Failure>(loaded.config.store.address(&home.layout()))
    };
    let (StoreAddress::Sqlite(from), StoreAddress::Postgres(to)) =
        (address("--from", from)?, address("--to", to)?)
    else {
        return Err(Failure::usage("a store moves from SQLite to PostgreSQL only")
            .help("say `--from sqlite --to postgres://USER:PASSWORD@HOST/DATABASE`"));
    };
    let _lock = InstanceLock::acquire(&home.layout().lock())
        .map_err(|held| Failure::refused(held.to_string()).help("end the service first"))?;
    let carried = carry::carry(&from, &to).await.map_err(uncarried)?;
    let rows: Vec<_> = carried
        .iter()
        .map(|table| json!({ "table": table.table, "rows": table.rows }))
        .collect();
    let document = json!({ "version": VERSION, "from": from, "to": to.to_string(), "carried": rows });
    ground.show(&document, |_| {
        let lines: String = carried
            .iter()
            .map(|table| format!("{:>10}  {}\n", table.rows, table.table))
            .collect();
        format!("{lines}everything is in {to} and was read back; now set `store.url`, and keep the old file until you are content\n")
    })
}

fn uncarried(error: CarryError) -> Failure {
    match error {
        CarryError::Store(error) => of_store(error),
        full @ CarryError::NotEmpty { .. } => Failure::refused(full.to_string()),
        differs @ CarryError::Differs { .. } => Failure::failed(differs.to_string()),
    }
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
