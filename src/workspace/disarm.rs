//! Which keys of a repository's configuration name programs, and what they are overridden with.
//!
//! A worker can write to the configuration of the repository that its worktree belongs to, and a stranger's
//! repository brings its own; git would run what is named there.
//!
//! Invariant: what is remembered is what git says of one text, and counts for the very same text alone.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The longest configuration that is remembered, in bytes.
const LONGEST: usize = 64 * 1024;
/// So many configurations are remembered.
const MOST: usize = 64;

/// A key, and the value that it is overridden with.
pub(super) type Setting = (String, String);

/// What git found in texts that it was asked about.
static KNOWN: LazyLock<Mutex<HashMap<Vec<u8>, Vec<Setting>>>> = LazyLock::new(Mutex::default);

/// Keys that name programs under a name of their own, as a regular expression for `git config --get-regexp`.
pub(super) const ARMED: &str = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|diff\..*\.(command|textconv)|credential\..*helper|remote\..*\.(uploadpack|receivepack|vcs|proxy)|hook\..*)$";

/// What a text merge by hand looks like: the neutral stand-in for a merge driver.
const TEXT_MERGE: &str = "git merge-file %A %O %B";

/// Overrides of every call.
pub(super) fn always() -> Vec<Setting> {
    [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.untrackedCache", "false"),
        // Git believes what that file says of a commit's parents, and workers can write it.
        ("core.commitGraph", "false"),
        ("core.splitIndex", "false"),
        ("core.attributesFile", "/dev/null"),
        ("core.excludesFile", "/dev/null"),
        ("core.alternateRefsCommand", "true"),
        ("core.pager", "cat"),
        ("core.editor", "true"),
        ("core.askPass", "false"),
        ("core.quotePath", "false"),
        ("core.protectNTFS", "true"),
        ("credential.helper", ""),
        ("init.templateDir", ""),
        ("init.defaultBranch", "main"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("commit.gpgSign", "false"),
        ("tag.gpgSign", "false"),
        ("merge.verifySignatures", "false"),
        ("log.showSignature", "false"),
        ("submodule.recurse", "false"),
        ("fetch.recurseSubmodules", "false"),
        ("diff.external", ""),
        ("diff.renames", "true"),
        ("core.trustCtime", "true"),
        ("core.checkStat", "default"),
        ("advice.detachedHead", "false"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec()
}

/// The override for one key that [`ARMED`] found; none where another key of the same name answers for it.
pub(super) fn answer(key: &str) -> Option<Setting> {
    let (section, rest) = key.split_once('.')?;
    let (name, last) = rest.rsplit_once('.').unwrap_or(("", rest));
    let value = match (section, last) {
        ("filter", "required") => "false",
        ("filter" | "diff" | "credential", _) => "",
        ("merge", _) => TEXT_MERGE,
        ("remote", "uploadpack") => "git-upload-pack",
        ("remote", "receivepack") => "git-receive-pack",
        ("remote", _) => "",
        ("hook", _) => return Some((format!("hook.{name}.enabled"), "false".to_owned())),
        _ => return None,
    };
    Some((key.to_owned(), value.to_owned()))
}

/// The whole configuration of a git folder as one text; none where other files may belong to it, or it is too long to be
/// remembered.
pub(super) fn settings(git_dir: &Path) -> Option<Vec<u8>> {
    if git_dir.join("commondir").exists() {
        return None;
    }
    let mut text = fs::read(git_dir.join("config")).ok()?;
    text.push(b'\n');
    text.extend(fs::read(git_dir.join("config.worktree")).unwrap_or_default());
    (text.len() <= LONGEST && !includes(&text)).then_some(text)
}

/// Whether a configuration names further files.
pub(super) fn includes(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).to_lowercase().contains("[include")
}

/// The overrides that this text needs, where it is known.
pub(super) fn known(text: &[u8]) -> Option<Vec<Setting>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get(text).cloned()
}

/// Remembers them.
pub(super) fn learn(text: Vec<u8>, answers: &[Setting]) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(text, answers.to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_configuration_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(settings(dir.path()), None, "no configuration");
        fs::write(at("config"), "[core]\n\tbare = true").unwrap();
        let text = settings(dir.path()).unwrap();
        assert_eq!(text, b"[core]\n\tbare = true\n");
        assert_eq!(known(&text), None);
        learn(text.clone(), &[("filter.x.clean".to_owned(), String::new())]);
        assert_eq!(known(&text).unwrap().len(), 1);
        fs::write(at("config.worktree"), "[filter \"y\"]\n\tclean = y\n").unwrap();
        assert_eq!(known(&settings(dir.path()).unwrap()), None, "another text");
        for more in [
            "[include]\n\tpath = x\n",
            "[IncludeIf \"gitdir:x\"]\n\tpath = x\n",
        ] {
            fs::write(at("config.worktree"), more).unwrap();
            assert_eq!(settings(dir.path()), None, "{more}");
        }
        fs::remove_file(at("config.worktree")).unwrap();
        fs::write(at("commondir"), "..").unwrap();
        assert_eq!(settings(dir.path()), None, "its configuration is elsewhere");
    }

    #[test]
    fn every_armed_key_has_an_answer() {
        for (key, name, value) in [
            ("filter.a.b.smudge", "filter.a.b.smudge", ""),
            ("filter.x.required", "filter.x.required", "false"),
            ("merge.x.driver", "merge.x.driver", TEXT_MERGE),
            ("diff.x.textconv", "diff.x.textconv", ""),
            ("credential.helper", "credential.helper", ""),
            ("credential.https://h.helper", "credential.https://h.helper", ""),
            ("remote.o.uploadpack", "remote.o.uploadpack", "git-upload-pack"),
            ("remote.o.vcs", "remote.o.vcs", ""),
            ("hook.x.command", "hook.x.enabled", "false"),
        ] {
            assert_eq!(answer(key), Some((name.to_owned(), value.to_owned())));
        }
        assert_eq!(answer(""), None);
    }
}
