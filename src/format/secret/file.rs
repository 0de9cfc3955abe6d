//! Files whose name says that they hold logins, and what in them is one.

use super::{Found, placeholder};

/// What names of secrets have in them.
const TELLING: [&str; 6] = ["TOKEN", "SECRET", "KEY", "PASS", "CREDENTIAL", "AUTH"];

/// The logins in a file that is called like one that holds them.
pub(super) fn find(path: &str, text: &[u8]) -> Vec<Found> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let login: fn(&str) -> Option<&str> = match name {
        ".env" => variable,
        ".npmrc" => npm,
        ".netrc" | "_netrc" => netrc,
        ".pgpass" => pgpass,
        ".git-credentials" => address,
        "credentials.json" => json,
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" => key_file,
        _ => return Vec::new(),
    };
    let kind = match name {
        ".env" => "secret of an environment file",
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" => "private key",
        _ => "login",
    };
    let lines = text.split(|b| *b == b'\n').enumerate();
    let found = lines.filter_map(|(n, line)| {
        let line = std::str::from_utf8(line).ok()?;
        let secret = login(line.trim())?.as_bytes().to_vec();
        Some(Found {
            kind,
            line: n + 1,
            secret,
        })
    });
    found.collect()
}

/// `NAME=value`, where the name speaks of a secret or the value is an address with a password.
fn variable(line: &str) -> Option<&str> {
    let (name, value) = line.trim_start_matches("export ").split_once('=')?;
    let name = name.trim().to_ascii_uppercase();
    let public = name.starts_with('#') || name.contains("PUBLIC") || name.contains("PUBLISHABLE");
    let value = bare(value);
    let telling = TELLING.iter().any(|word| name.contains(word)) && !value.contains([' ', '/']);
    match telling && !public {
        true => real(value),
        false if public => None,
        false => address(value),
    }
}

fn npm(line: &str) -> Option<&str> {
    let (_, value) = line
        .split_once("_authToken=")
        .or_else(|| line.split_once("_password="))?;
    real(bare(value))
}

fn netrc(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == "password")?;
    real(words.next()?)
}

/// `host:port:database:user:password`.
fn pgpass(line: &str) -> Option<&str> {
    let value = line.splitn(5, ':').nth(4)?;
    real(value).filter(|_| !line.starts_with('#'))
}

/// `scheme://user:password@host`.
fn address(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (login, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    real(password)
}

fn json(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim().trim_matches('"').to_ascii_uppercase();
    let value = bare(value.trim().trim_end_matches(','));
    let telling = name.ends_with("SECRET") || name.ends_with("TOKEN") || name.ends_with("PASSWORD");
    real(value).filter(|_| telling)
}

/// Its name is enough.
fn key_file(line: &str) -> Option<&str> {
    let body = line.len() >= 40
        && line
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    body.then_some(line)
        .filter(|line| !placeholder::is_one(line.as_bytes()))
}

fn bare(value: &str) -> &str {
    let value = value.trim();
    let quoted = value
        .strip_prefix(['"', '\''])
        .and_then(|v| v.split(['"', '\'']).next());
    quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or(value).trim())
}

fn real(value: &str) -> Option<&str> {
    (!placeholder::is_no_password(value)).then_some(value)
}
