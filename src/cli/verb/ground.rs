//! What every verb stands on: the environment, the instance, the clock; found or refused with a cure.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::args::Common;
use super::super::exit::{Exit, Failure};
use super::super::render::{self, Look};
use crate::clock::Clock;
use crate::config::section::Console;
use crate::config::{self, Environment, Fault, Home, Loaded, Override};
use crate::runtime::process::values_above;
use crate::service::instance::{self, Instance, OpenError, Opening};
use crate::store::{OpenMode, StoreError};
use crate::telemetry;

/// What every verb stands on.
pub(super) struct Ground {
    pub(super) common: Common,
    pub(super) environment: Environment,
    pub(super) clock: Clock,
}

impl Ground {
    pub(super) fn new(common: Common) -> Result<Self, Failure> {
        Ok(Self {
            common,
            environment: Environment::capture(),
            clock: Clock::system(),
        })
    }

    pub(super) fn look(&self) -> Look {
        Look::stdout(self.common.no_color, self.clock.now())
    }

    /// Prints a document with `--json`, else its page.
    pub(super) fn show<T: serde::Serialize>(
        &self,
        document: &T,
        page: impl FnOnce(&Look) -> String,
    ) -> super::Outcome {
        if self.common.json {
            let text = render::json(document).map_err(|e| Failure::failed(format!("cannot print: {e}")))?;
            return super::print(&text);
        }
        super::print(&page(&self.look()))
    }

    pub(super) fn current_dir(&self) -> Result<PathBuf, Failure> {
        std::env::current_dir().map_err(|e| {
            Failure::failed(format!("the current folder cannot be found: {e}"))
                .help("change to another folder")
        })
    }

    /// The instance's folder.
    pub(super) fn home(&self) -> Result<Home, Failure> {
        let start = self.current_dir()?;
        config::home::find(&start, self.common.home.as_deref(), &self.environment)
            .map_err(|e| Failure::usage(e.to_string()))
    }

    /// The configuration, with all its mistakes at once.
    pub(super) fn config(&self, home: &Home) -> Result<Loaded, Failure> {
        self.config_with(home, &[])
    }

    pub(super) fn config_with(&self, home: &Home, flags: &[Override]) -> Result<Loaded, Failure> {
        config::load(home, &self.environment, flags).map_err(|faults| all_of(&faults))
    }

    /// Sets up logging as the configuration and `-v`, `-q` say.
    pub(super) fn log(&self, loaded: &Loaded) -> Result<(), Failure> {
        let level = match (self.common.quiet, self.common.verbose) {
            (true, _) => Some("error"),
            (false, 0) => self.environment.get(telemetry::VARIABLE),
            (false, 1) => Some("debug"),
            (false, _) => Some("trace"),
        };
        let no_color =
            self.common.no_color || self.environment.get("NO_COLOR").is_some_and(|v| !v.is_empty());
        let known = instance::redactor(&loaded.config, self.environment.variables());
        telemetry::init(&loaded.config.logging, level, no_color, known)
            .map_err(|e| Failure::usage(e.to_string()))
    }

    /// Opens the instance for a verb that runs workers: the store is made, or brought to this program's schema.
    pub(super) async fn running_instance(&self, flags: &[Override]) -> Result<Arc<Instance>, Failure> {
        let home = self.home()?;
        let loaded = self.config_with(&home, flags)?;
        self.log(&loaded)?;
        self.open(&home, loaded, OpenMode::Migrate).await
    }

    pub(super) async fn open(
        &self,
        home: &Home,
        loaded: Loaded,
        mode: OpenMode,
    ) -> Result<Arc<Instance>, Failure> {
        let exe = std::env::current_exe().map_err(|e| {
            Failure::failed(format!("this program cannot be found on disk: {e}")).help("reinstall it")
        })?;
        let database = loaded.config.store.address(&home.layout());
        let console = loaded.config.reports.console;
        if console == Console::Plain {
            anstream::ColorChoice::Never.write_global();
        }
        let opening = Opening {
            layout: home.layout(),
            config: loaded.config,
            clock: self.clock.clone(),
            exe,
            environment: self.environment.variables().clone(),
            reports_on_console: console != Console::Off,
        };
        Instance::open(opening, mode)
            .await
            .map(Arc::new)
            .map_err(|e| match e {
                OpenError::Store(
                    StoreError::Damaged { .. }
                    | StoreError::Full
                    | StoreError::Busy
                    | StoreError::ReadOnly
                    | StoreError::Unreadable { .. },
                ) => unopened(&e).at(database),
                _ => unopened(&e),
            })
    }

    /// Opens the instance for a verb that reads or steers: a store that is there is never migrated under a service.
    pub(super) async fn any_instance(&self) -> Result<Arc<Instance>, Failure> {
        let home = self.home()?;
        let loaded = self.config(&home)?;
        self.log(&loaded)?;
        self.open(&home, loaded, OpenMode::Beside).await
    }

    /// [`Ground::any_instance`] for a verb by which people decide: a worker of this very instance is refused.
    pub(super) async fn persons_instance(&self) -> Result<Arc<Instance>, Failure> {
        self.persons_alone()?;
        self.any_instance().await
    }

    /// Refuses a worker of this very instance.
    pub(super) fn persons_alone(&self) -> Result<(), Failure> {
        let state = self.home()?.layout().state();
        let state = state.canonicalize().unwrap_or(state);
        let here = |prompt: std::ffi::OsString| {
            let prompt = PathBuf::from(prompt);
            prompt.canonicalize().unwrap_or(prompt).starts_with(&state)
        };
        if values_above("ORCHESTRATOR_PROMPT_FILE").into_iter().any(here) {
            return Err(Failure::refused(
                "this is a worker of the instance; what it may do is not its own to decide",
            )
            .help("say `orchestrator agent blocked --reason TEXT`, and a person will look"));
        }
        Ok(())
    }

    /// Who sits at the keyboard.
    pub(super) fn person(&self) -> String {
        let name = ["USER", "LOGNAME"].iter().find_map(|v| self.environment.get(v));
        format!("cli:{}", name.unwrap_or("unknown"))
    }
}

fn unopened(error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Store(
            StoreError::NewerSchema { .. }
            | StoreError::OlderSchema { .. }
            | StoreError::EditedHistory { .. }
            | StoreError::ForeignSchema { .. },
        ) => Exit::Usage,
        OpenError::Store(StoreError::Busy | StoreError::Missing { .. } | StoreError::Unavailable { .. }) => {
            Exit::Unreachable
        }
        OpenError::Store(StoreError::Unusable { .. }) => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// Every mistake of a configuration, as one failure.
pub(super) fn all_of(faults: &[Fault]) -> Failure {
    let line = |f: &Fault| match &f.help {
        Some(help) => format!("{}: {}\n    {help}", f.at, f.message),
        None => format!("{}: {}", f.at, f.message),
    };
    let all: Vec<String> = faults.iter().map(line).collect();
    let head = format!(
        "{} in the configuration",
        render::text::count(faults.len(), "mistake")
    );
    Failure::usage(format!("{head}\n{}", all.join("\n")))
        .help("correct them and try again; `orchestrator config show` tells the values in force")
}

/// What the store refused, with its exit code.
pub(super) fn of_store(error: StoreError) -> Failure {
    unopened(&OpenError::Store(error))
}
