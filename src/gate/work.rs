//! What the work adds, as receipts: no secrets, no huge files, nothing outside of the declared scope.
//!
//! Where the branch took a moved base in, what is just as the base is now is the work of others, and no finding.

use std::collections::{HashMap, HashSet};

use super::house::Look;
use crate::domain::gate::Category;
use crate::domain::glob;
use crate::format::redact::Redactor;
use crate::format::secret::{self, Found};
use crate::workspace::{ChangedPath, Diff, Entry, Workspace, WorkspaceError};

/// The largest file that is looked through for secrets, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// So many findings are listed.
const SHOWN: usize = 20;
/// A file of more bytes than this is huge, unless the configuration says otherwise.
const HUGE: u64 = 5_000_000;

/// What work must keep to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Patterns of the paths that it may change, from the worker's folder; all where empty.
    pub scope: Vec<String>,
    /// Patterns of files that are not looked through for secrets, from the worker's folder or the top of the tree.
    pub secrets_ignore: Vec<String>,
    /// The largest file that it may add or change, in bytes.
    pub max_file_size: u64,
    /// The secrets that are known.
    pub known: Redactor,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            scope: Vec::new(),
            secrets_ignore: Vec::new(),
            max_file_size: HUGE,
            known: Redactor::default(),
        }
    }
}

/// What breaks the rules, a line each.
#[derive(Debug, Default)]
struct Findings {
    secrets: Vec<String>,
    sizes: Vec<String>,
    outside: Vec<String>,
}

/// One look for each rule.
pub(super) async fn looks(
    workspace: &Workspace,
    diff: &Result<Diff, WorkspaceError>,
    commit: &str,
    rules: &Rules,
) -> Vec<Look> {
    let found = match diff {
        Ok(diff) => findings(workspace, diff, commit, rules).await,
        Err(_) => Ok(Findings::default()),
    };
    let failed = diff.as_ref().err().or(found.as_ref().err());
    let none = Findings::default();
    let seen = found.as_ref().unwrap_or(&none);
    let scope = || {
        Look::new(
            "scope",
            Category::Integration,
            &scope_at(rules),
            seen.in_scope(rules),
        )
    };
    let looks = [
        Look::new(
            "secrets",
            Category::Integration,
            "added lines, from the base to the commit",
            seen.no_secrets(),
        ),
        Look::new(
            "file-sizes",
            Category::Integration,
            "added and changed files, from the base to the commit",
            seen.no_huge_files(rules),
        ),
    ];
    let looks = looks.into_iter().chain((!rules.scope.is_empty()).then(scope));
    looks.map(|look| look.or_error(failed)).collect()
}

async fn findings(
    workspace: &Workspace,
    diff: &Diff,
    commit: &str,
    rules: &Rules,
) -> Result<Findings, WorkspaceError> {
    let found = Findings::of(workspace, diff, rules).await?;
    if found.is_empty() {
        return Ok(found);
    }
    match workspace.own_part(diff, commit).await? {
        Some(own) => Findings::of(workspace, &own, rules).await,
        None => Ok(found),
    }
}

impl Findings {
    async fn of(workspace: &Workspace, diff: &Diff, rules: &Rules) -> Result<Self, WorkspaceError> {
        Ok(Self {
            secrets: secrets(workspace, diff, rules).await?,
            sizes: diff.paths.iter().filter_map(|p| huge(diff, p, rules)).collect(),
            outside: diff
                .paths
                .iter()
                .map(|p| p.path.as_str())
                .filter(|path| !is_in_scope(workspace, path, rules))
                .map(|path| format!("- {path}"))
                .collect(),
        })
    }

    fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.sizes.is_empty() && self.outside.is_empty()
    }

    fn no_secrets(&self) -> Result<String, String> {
        match self.secrets.is_empty() {
            true => Ok("no added line holds a secret".to_owned()),
            false => Err(format!(
                "the work adds what looks like secrets; take them out, and hold them for stolen where they are real:\n{}",
                listed(&self.secrets)
            )),
        }
    }

    fn no_huge_files(&self, rules: &Rules) -> Result<String, String> {
        let most = told(rules.max_file_size);
        match self.sizes.is_empty() {
            true => Ok(format!("no added or changed file is above {most}")),
            false => Err(format!("files above {most}:\n{}", listed(&self.sizes))),
        }
    }

    fn in_scope(&self, rules: &Rules) -> Result<String, String> {
        match self.outside.is_empty() {
            true => Ok("every changed path is within the scope".to_owned()),
            false => Err(format!(
                "changed outside of the scope ({}); put these back as they were at the base:\n{}",
                rules.scope.join(", "),
                listed(&self.outside)
            )),
        }
    }
}

fn scope_at(rules: &Rules) -> String {
    format!("changed paths within {}", rules.scope.join(", "))
}

/// A path outside of the worker's folder is never in a scope.
fn is_in_scope(workspace: &Workspace, path: &str, rules: &Rules) -> bool {
    rules.scope.is_empty()
        || workspace
            .below_root(path)
            .is_some_and(|path| glob::any(&rules.scope, path))
}

/// A file that is too large, unless it only moved, or was too large before and grew by less than would be too large.
fn huge(diff: &Diff, changed: &ChangedPath, rules: &Rules) -> Option<String> {
    if !changed.is.is_file() {
        return None;
    }
    let Some(size) = diff.size(&changed.is) else {
        return Some(format!("- {}: its size cannot be read", changed.path));
    };
    let was = diff.size(&changed.was).unwrap_or(0);
    let most = rules.max_file_size;
    let old = was > most && size - was.min(size) <= most;
    let moved = || diff.held(changed.is.object());
    (size > most && !old && !moved()).then(|| format!("- {}: {}", changed.path, told(size)))
}

/// What looks like a secret and stood in none of the changed files before.
async fn secrets(workspace: &Workspace, diff: &Diff, rules: &Rules) -> Result<Vec<String>, WorkspaceError> {
    let ignored = |path: &str| {
        let ignored = |path: &str| glob::any(&rules.secrets_ignore, path);
        ignored(path) || ignored(workspace.from_root(path))
    };
    let now = || diff.paths.iter().map(|p| (p.path.as_str(), &p.is));
    let now: Vec<_> = now().filter(|(path, _)| !ignored(path)).collect();
    let found = look_through_all(diff, &now, rules).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let before: Vec<_> = diff.before().collect();
    let old: HashSet<Vec<u8>> = look_through_all(diff, &before, rules)
        .await?
        .into_iter()
        .map(|(_, f)| f.secret().to_vec())
        .collect();
    let new = found.iter().filter(|(_, f)| !old.contains(f.secret()));
    Ok(new.map(|(path, f)| line(path, f, rules)).collect())
}

async fn look_through_all<'d>(
    diff: &'d Diff,
    entries: &[(&'d str, &'d Entry)],
    rules: &Rules,
) -> Result<Vec<(&'d str, Found)>, WorkspaceError> {
    let mut paths: HashMap<&str, Vec<&str>> = HashMap::new();
    for (path, entry) in entries {
        paths.entry(entry.object()).or_default().push(path);
    }
    let mut found = Vec::new();
    let visit = |object: &str, content: &[u8]| {
        for path in paths.get(object).into_iter().flatten() {
            found.extend(look_through(path, content, rules).map(|f| (*path, f)));
        }
    };
    diff.read(entries.iter().map(|(_, entry)| *entry), LARGEST, visit)
        .await?;
    found.sort_by(|(a, f), (b, g)| (a, f.line).cmp(&(b, g.line)));
    Ok(found)
}

fn line(path: &str, found: &Found, rules: &Rules) -> String {
    // A path can hold a secret, too.
    let shown = match look_through("", path.as_bytes(), rules).next() {
        Some(_) => "(a file that is called like a secret)",
        None => path,
    };
    format!("- {shown}:{}: {}", found.line, found.kind)
}

fn look_through<'c>(path: &str, content: &'c [u8], rules: &'c Rules) -> impl Iterator<Item = Found> + 'c {
    let places = rules.known.places(content).into_iter();
    let known = places.filter(|place| secret::is_telling(&content[place.clone()]));
    let known = known.map(|place| Found::at("secret of the orchestrator's own", content, place));
    secret::find(path, content).into_iter().chain(known)
}

fn listed(lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(SHOWN).cloned().collect();
    if lines.len() > SHOWN {
        shown.push(format!("- and {} more", lines.len() - SHOWN));
    }
    shown.join("\n")
}

fn told(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
