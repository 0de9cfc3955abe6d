//! Secrets: `${NAME}` and `file:PATH` references, read once, never shown.
//!
//! Invariant: no `Debug`, `Display` or `config show` prints a value. An unset variable is not a mistake of the
//! configuration (the same file serves many hosts): it makes unavailable whatever needs the secret, and says so.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::environment::Environment;

/// A secret of the configuration.
#[derive(Clone)]
pub struct Secret {
    value: Result<SecretString, Absent>,
}

/// Why a secret is not there, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// The variable is unset or empty.
    #[error("the environment variable {name} is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The file cannot be read, or is empty.
    #[error("the secret file {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

impl Secret {
    /// Resolves `text`: `file:PATH` (relative to `home`; surrounding white space of the content is dropped), or text
    /// in which each `${NAME}` stands for a variable. An unclosed `${` is a mistake, returned as a sentence.
    pub(super) fn resolve(text: &str, env: &Environment, home: &Path) -> Result<Self, String> {
        let value = match text.strip_prefix("file:") {
            Some(path) => read_file(&home.join(path)),
            None => expand(text, env)?,
        };
        Ok(Self { value })
    }

    /// One whose value is known already.
    pub fn known(value: SecretString) -> Self {
        Self { value: Ok(value) }
    }

    /// The value, or why it is not there.
    pub fn value(&self) -> Result<&SecretString, &Absent> {
        self.value.as_ref()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Ok(_) => f.write_str("[secret]"),
            Err(absent) => write!(f, "[secret] ({absent})"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Ok(a), Ok(b)) => a.expose_secret() == b.expose_secret(),
            (Err(a), Err(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Secret {}

fn read_file(path: &Path) -> Result<SecretString, Absent> {
    let unreadable = |reason: String| Absent::Unreadable {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|fault| unreadable(fault.to_string()))?;
    match text.trim() {
        "" => Err(unreadable("it is empty".to_owned())),
        text => Ok(SecretString::from(text)),
    }
}

type Expanded = Result<SecretString, Absent>;

fn expand(text: &str, env: &Environment) -> Result<Expanded, String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err("'${' is not closed by '}'".to_owned());
        };
        let Some(value) = env.get(name) else {
            return Ok(Err(Absent::Unset {
                name: name.to_owned(),
            }));
        };
        whole.push_str(before);
        whole.push_str(value);
        rest = after;
    }
    whole.push_str(rest);
    Ok(Ok(SecretString::from(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Secret {
        let env = [("KEY", "s3cret"), ("EMPTY", "")].into_iter().collect();
        Secret::resolve(text, &env, Path::new("/nowhere")).unwrap()
    }

    #[test]
    fn references_are_resolved() {
        let exposed = |text| resolve(text).value().unwrap().expose_secret().to_owned();
        assert_eq!(exposed("${KEY}"), "s3cret");
        assert_eq!(exposed("a:${KEY}@${KEY}"), "a:s3cret@s3cret");
        assert_eq!(exposed("literal"), "literal");
    }

    #[test]
    fn what_is_absent_is_named() {
        assert_eq!(
            resolve("${NO}").value().unwrap_err(),
            &Absent::Unset { name: "NO".into() }
        );
        assert!(resolve("${EMPTY}").value().is_err());
        let said = resolve("file:key").value().unwrap_err().to_string();
        assert!(said.contains("/nowhere/key"), "{said}");
        assert!(Secret::resolve("${KEY", &Environment::default(), Path::new("/")).is_err());
    }

    #[test]
    fn nothing_shows_the_value() {
        let secret = resolve("${KEY}");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "s3cret\n").unwrap();
        let secret = Secret::resolve("file:key", &Environment::default(), folder.path()).unwrap();
        assert_eq!(secret.value().unwrap().expose_secret(), "s3cret");
    }
}
