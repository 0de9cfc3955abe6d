//! From the text of orchestrator.toml, the environment and the flags to a [`Config`].

use std::path::Path;

use toml::de::DeTable;

use super::environment::Environment;
use super::fault::{Fault, Origin};
use super::home::Home;
use super::reader::{Reader, Section, normal};
use super::section::{
    Approvals, Bus, Containment, Fleet, Forge, Gate, Landing, Limits, Logging, PolicyRules, Queue, Reports,
    Review, Runtime, Scheduler, Server, Store, Tier, projects,
};
use super::{Config, Loaded, Override};

/// What variables that set keys begin with; `__` stands between section and key.
const PREFIX: &str = "ORCHESTRATOR__";

/// Reads the configuration of an instance. All mistakes are returned at once, in the order of the file.
pub fn load(home: &Home, env: &Environment, flags: &[Override]) -> Result<Loaded, Vec<Fault>> {
    let file = home.config_file();
    let text = read(&file).map_err(|fault| vec![fault])?;
    parse(&file, &text, env, flags)
}

/// Reads a configuration from text; `file` names it in faults, and its folder is what `file:` secrets are relative to.
pub fn parse(file: &Path, text: &str, env: &Environment, flags: &[Override]) -> Result<Loaded, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut overrides = from_environment(env);
    overrides.extend_from_slice(flags);
    let mut reader = Reader {
        file,
        text,
        home: file.parent().unwrap_or(Path::new(".")),
        env,
        overrides: overrides.into_iter().map(|entry| (entry, false)).collect(),
        faults: Vec::new(),
        effective: Vec::new(),
    };
    if !errors.is_empty() {
        return Err(sorted(
            errors.iter().map(|error| syntax_fault(&reader, error)).collect(),
        ));
    }
    let config = reader.root(table.get_ref(), config);
    if !reader.faults.is_empty() {
        return Err(sorted(reader.faults));
    }
    Ok(Loaded {
        config,
        effective: reader.effective,
    })
}

/// In the order of the file; variables and flags last.
fn sorted(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| (fault.line() == 0, fault.line(), fault.column()));
    faults
}

fn config(root: &mut Section<'_, '_>) -> Config {
    let scheduler = root.section("scheduler", Scheduler::read);
    let policy = root.section("policy", PolicyRules::read);
    let store = root.section("store", Store::read);
    let bus = root.section("bus", Bus::read);
    let fleet = root.section("fleet", Fleet::read);
    let queue = root.section("queue", Queue::read);
    let projects = projects::read_all(root);
    let runtimes = Runtime::read_all(root);
    let tiers = Tier::read_all(root, &runtimes);
    let gate = root.section("gate", Gate::read);
    let review = root.section("review", |section| Review::read(section, &runtimes, &tiers));
    Config {
        scheduler,
        policy,
        store,
        bus,
        fleet,
        queue,
        tiers,
        projects,
        runtimes,
        gate,
        approvals: root.section("approvals", Approvals::read),
        review,
        landing: root.section("landing", Landing::read),
        forge: root.section("forge", Forge::read),
        server: root.section("server", Server::read),
        reports: root.section("reports", Reports::read),
        logging: root.section("logging", Logging::read),
        limits: root.section("limits", Limits::read),
        containment: root.section("containment", Containment::read),
    }
}

fn from_environment(env: &Environment) -> Vec<Override> {
    let set = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
        let name = name.to_str()?;
        let key = name.strip_prefix(PREFIX)?;
        Some(Override {
            key: normal(&key.replace("__", ".")),
            text: value.to_string_lossy().into_owned(),
            origin: Origin::Environment(name.to_owned()),
        })
    };
    env.variables().iter().filter_map(set).collect()
}

fn syntax_fault(reader: &Reader<'_>, error: &toml::de::Error) -> Fault {
    Fault {
        at: reader.locate(&error.span().unwrap_or(0..0)),
        message: error.message().to_owned(),
        help: None,
    }
}

fn read(file: &Path) -> Result<String, Fault> {
    let fault = |at: (u32, u32), message: String, help: &str| Fault {
        at: Origin::File {
            path: file.to_owned(),
            line: at.0,
            column: at.1,
        },
        message,
        help: Some(help.to_owned()),
    };
    let bytes = std::fs::read(file).map_err(|error| {
        fault(
            (1, 1),
            format!("cannot be read: {error}"),
            "check the path and its permissions",
        )
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        fault(
            (line, 1),
            "is not UTF-8 text".to_owned(),
            "save the file as UTF-8",
        )
    })
}
