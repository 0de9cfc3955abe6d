//! What the commit does to the tests and checks of its base: read from the repository, judged by
//! [`crate::domain::tamper`].

use std::collections::BTreeSet;

use super::detect::RootFiles;
use crate::domain::gate::CheckSpec;
use crate::domain::tamper::{self, Base, Change, Finding, Side};
use crate::workspace::{ChangedFile, Content, Diff, Workspace, WorkspaceError};

/// So many commands are looked at for the names of scripts, and so many letters of each.
const COMMANDS: usize = 200;
const COMMAND: usize = 8 * 1024;

/// The findings in what a commit changes of the base at which the work began.
pub(super) async fn findings(
    workspace: &Workspace,
    diff: &Diff,
    checks: &[CheckSpec],
) -> Result<Vec<Finding>, WorkspaceError> {
    let commands = commands(workspace, checks).await?;
    let wanted = |path: &str| tamper::concerns(workspace.from_root(path), &commands);
    let files = diff.files(wanted).await?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Only a new file can be the first one of a project.
    let new = files.iter().any(|file| file.was == Content::Absent);
    let established = new
        && workspace
            .files_of_base()
            .await?
            .iter()
            .any(|path| tamper::establishes(path));
    let changes: Vec<Change<'_>> = files
        .iter()
        .map(|file| Change {
            path: workspace.from_root(&file.path),
            was: side(&file.was),
            is: side(&file.is),
        })
        .collect();
    let base = Base {
        commands: &commands,
        established,
    };
    Ok(tamper::findings(&changes, &base))
}

/// The checks' scripts, and what the base's own manifests say that they stand for.
async fn commands(workspace: &Workspace, checks: &[CheckSpec]) -> Result<Vec<String>, WorkspaceError> {
    let root = RootFiles::read(workspace, &workspace.base.commit).await?;
    let manifests = root
        .texts
        .iter()
        .flat_map(|(name, text)| tamper::commands(name, text));
    let scripts = checks.iter().map(|check| check.run.clone());
    let cut = |text: String| text.chars().take(COMMAND).collect::<String>();
    Ok(scripts
        .chain(manifests)
        .take(COMMANDS)
        .map(cut)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect())
}

fn side(content: &Content) -> Side<'_> {
    match content {
        Content::Absent => Side::Absent,
        Content::Text(text) => Side::Text(text),
        Content::Opaque(object) => Side::Opaque(object),
        Content::Link(object) => Side::Link(object),
    }
}

/// The files to which the commit brings marks of a conflict.
pub(super) async fn conflict_marks(diff: &Diff) -> Result<Vec<String>, WorkspaceError> {
    let files = diff.files(|_| true).await?;
    let brings = |file: &&ChangedFile| is_marked(&file.is) && !is_marked(&file.was);
    Ok(files
        .iter()
        .filter(brings)
        .map(|file| file.path.clone())
        .collect())
}

/// Whether both ends of a conflict stand in it, as git writes them.
fn is_marked(content: &Content) -> bool {
    let Content::Text(text) = content else {
        return false;
    };
    let has = |mark: &str| text.lines().any(|line| line.starts_with(mark));
    has("<<<<<<< ") && has(">>>>>>> ")
}
