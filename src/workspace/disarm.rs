//! Which keys of a repository's configuration name programs, and what they are overridden with.
//!
//! A worker can write to the configuration of the repository that its worktree belongs to, and a stranger's
//! repository brings its own; git would run what is named there.

/// Keys that name programs under a name of their own, as a regular expression for `git config --get-regexp`.
pub(super) const ARMED: &str = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|diff\..*\.(command|textconv)|credential\..*helper|remote\..*\.(uploadpack|receivepack|vcs|proxy)|hook\..*)$";

/// What a text merge by hand looks like: the neutral stand-in for a merge driver.
const TEXT_MERGE: &str = "git merge-file %A %O %B";

/// Overrides of every call.
pub(super) fn always() -> Vec<(String, String)> {
    [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.untrackedCache", "false"),
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
pub(super) fn answer(key: &str) -> Option<(String, String)> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
