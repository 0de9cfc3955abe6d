//! Where the instance is: a flag, a variable, or the nearest folder upwards that holds orchestrator.toml.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::layout::Layout;

/// The file that makes a folder an instance.
pub const CONFIG_FILE: &str = "orchestrator.toml";

/// The variable that names the instance.
pub const VARIABLE: &str = "ORCHESTRATOR_HOME";

/// The folder of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// There is no instance where one was looked for. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoInstance {
    /// Neither the folder nor any above it is one.
    #[error(
        "no {CONFIG_FILE} in {start} or any folder above it; make an instance with `orchestrator init`, \
         or name one with --home DIR or {VARIABLE}"
    )]
    NotFound {
        /// Where the search began.
        start: String,
    },
    /// The folder that was named is none.
    #[error("{dir} (from {by}) has no {CONFIG_FILE}; make it an instance with `orchestrator init {dir}`")]
    NotThere {
        /// The folder.
        dir: String,
        /// Who named it.
        by: &'static str,
    },
}

impl Home {
    /// A folder that is known to be (or about to be made) an instance.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its orchestrator.toml.
    pub fn config_file(&self) -> PathBuf {
        self.root.join(CONFIG_FILE)
    }

    /// All its paths.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.root)
    }
}

/// Finds the instance: `flag` (--home) wins over ORCHESTRATOR_HOME, which wins over walking up from `start`.
/// Relative paths are taken from `start`.
pub fn find(start: &Path, flag: Option<&Path>, env: &Environment) -> Result<Home, NoInstance> {
    if let Some(dir) = flag {
        return named(start, dir, "--home");
    }
    if let Some(dir) = env.get(VARIABLE) {
        return named(start, Path::new(dir), VARIABLE);
    }
    start
        .ancestors()
        .find(|dir| dir.join(CONFIG_FILE).is_file())
        .map(Home::at)
        .ok_or_else(|| NoInstance::NotFound {
            start: start.display().to_string(),
        })
}

fn named(start: &Path, dir: &Path, by: &'static str) -> Result<Home, NoInstance> {
    let home = Home::at(start.join(dir));
    if home.config_file().is_file() {
        return Ok(home);
    }
    Err(NoInstance::NotThere {
        dir: dir.display().to_string(),
        by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_upwards_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(dir.path().join(CONFIG_FILE), "").unwrap();
        let none = Environment::default();
        assert_eq!(find(&deep, None, &none).unwrap().root(), dir.path());
        std::fs::write(dir.path().join("a").join(CONFIG_FILE), "").unwrap();
        assert_eq!(find(&deep, None, &none).unwrap().root(), dir.path().join("a"));
        let env = [(VARIABLE, "..")].into_iter().collect();
        let by_variable = find(&dir.path().join("a"), None, &env).unwrap();
        assert_eq!(
            by_variable.config_file(),
            dir.path().join("a/..").join(CONFIG_FILE)
        );
        let by_flag = find(&deep, Some(dir.path()), &env).unwrap();
        assert_eq!(by_flag.root(), dir.path());
    }

    #[test]
    fn what_is_missing_is_said_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let none = Environment::default();
        let said = find(dir.path(), None, &none).unwrap_err().to_string();
        assert!(said.contains("orchestrator init"), "{said}");
        let said = find(dir.path(), Some(Path::new("x")), &none)
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("--home") && said.contains("orchestrator init x"),
            "{said}"
        );
    }
}
