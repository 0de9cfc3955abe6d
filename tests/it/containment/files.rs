//! The files of a cell: secrets are not there, and nothing outside is changed.

use std::fs;
use std::os::unix::fs::symlink;

use orchestrator::sandbox::{self, Choice};
use rstest::rstest;

use super::rig::{Rig, Wall, shown};

/// Seen to fail with `--ro-bind / /` in place of the view (bubblewrap) and with `/` among what may be read (landlock):
/// the probe refuses such a cell, and without the probe every row fails; likewise with the cell's surroundings among the
/// mounts (container).
#[rstest]
fn secrets_are_not_read(#[values(Wall::Bubblewrap, Wall::Landlock, Wall::Container)] wall: Wall) {
    let Some(rig) = Rig::within(wall) else { return };
    let outside = std::process::id();
    let home = shown(&rig.path("home"));
    let files = [
        "home/.ssh/id_ed25519",
        "home/.aws/credentials",
        "home/.claude/.credentials.json",
        "home/.cargo/credentials.toml",
        "home/.netrc",
        "instance/orchestrator.toml",
        "instance/.orchestrator/orchestrator.db",
        "instance/.orchestrator/workspaces/other/code",
        "attempt/stdin",
        "attempt/cell.json",
        "workspace/../home/.ssh/id_ed25519",
    ];
    let mut ways: Vec<String> = files.map(|path| format!("cat {}", shown(&rig.path(path)))).into();
    ways.extend([
        format!("ls {home}/.aws/ {home}/.ssh"),
        "cat /etc/shadow".to_owned(),
        format!("tr '\\0' '\\n' < /proc/{outside}/environ"),
        format!("ls /proc/{outside}/root/ /proc/{outside}/cwd/"),
        format!("ln -s {home}/.ssh link && cat link/id_ed25519"),
        format!("ln {home}/.netrc link2 && cat link2"),
    ]);
    for (way, (code, said)) in ways.iter().zip(rig.run_each(&ways)) {
        assert!(code != 0 && said.is_empty(), "{way}: {code} {said}");
    }
}

/// A link that leads out of the workspace leads nowhere. Seen to fail as the test above.
#[rstest]
fn links_in_the_workspace_lead_nowhere(
    #[values(Wall::Bubblewrap, Wall::Landlock, Wall::Container)] wall: Wall,
) {
    let Some(rig) = Rig::within(wall) else { return };
    symlink(rig.path("home/.ssh"), rig.path("workspace/ssh")).unwrap();
    symlink("/", rig.path("workspace/root")).unwrap();
    let write = format!("echo x > root{}", shown(&rig.path("escape")));
    let said = rig.run_each(&["cat ssh/id_ed25519", "cat root/etc/shadow", &write]);
    for (code, said) in &said[..2] {
        assert!(*code != 0 && said.is_empty(), "{said}");
    }
    assert!(!rig.path("escape").exists(), "{said:?}");
}

/// Seen to fail with `--bind` for `--ro-bind` in the view, with `from_all` for what may be read (landlock), and with mounts
/// that are not read-only (container).
#[rstest]
fn nothing_is_changed_outside(#[values(Wall::Bubblewrap, Wall::Landlock, Wall::Container)] wall: Wall) {
    let Some(mut rig) = Rig::within(wall) else { return };
    fs::create_dir(rig.path("seen")).unwrap();
    fs::write(rig.path("seen/file"), "as it was").unwrap();
    rig.cell.read.push(rig.path("seen"));
    let paths = [
        "seen/file",
        "seen/new",
        "attempt/exit.json",
        "instance/PROACTIVE-JOBS.md",
        "home/.bashrc",
    ];
    let before = paths.map(|path| fs::read(rig.path(path)).ok());
    let mut ways: Vec<String> = paths
        .map(|path| format!("echo x > {}", shown(&rig.path(path))))
        .into();
    ways.push(format!("cat {}", shown(&rig.path("seen/file"))));
    ways.push("echo mine > file && mkdir -p ~/.config && echo kept > ~/.config/own && cat file".to_owned());
    let said = rig.run_each(&ways);
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(fs::read(rig.path(path)).ok(), before, "{path}: {said:?}");
    }
    assert_eq!(said[5..], [(0, "as it was".to_owned()), (0, "mine\n".to_owned())]);
    assert_eq!(
        fs::read_to_string(rig.path("private/.config/own")).unwrap(),
        "kept\n"
    );
    let again = rig.run("cat ~/.config/own; id -u; touch by-me");
    assert!(again.out.starts_with("kept\n"), "{again:?}");
    let owner = |path: &str| std::os::unix::fs::MetadataExt::uid(&fs::metadata(rig.path(path)).unwrap());
    assert_eq!(
        owner("workspace/by-me"),
        owner("workspace"),
        "the files belong to us"
    );
}

/// What may be read as a whole still hides what is named. Seen to fail with `Arguments::hide` taken out.
#[test]
fn what_is_hidden_stays_hidden_within_what_may_be_read() {
    let mut rig = Rig::new(Choice::Bubblewrap);
    fs::write(rig.path("instance/notes"), "seen").unwrap();
    fs::write(rig.path("home/notes"), "seen").unwrap();
    rig.cell.read = vec![rig.path("instance"), rig.path("home")];
    rig.cell.hidden.push(rig.path("instance/orchestrator.toml"));
    rig.cell.hidden.push(rig.path("instance/.orchestrator"));
    let ran = rig.run(&format!(
        "cd {}; cat instance/notes home/notes",
        shown(&rig.path(""))
    ));
    assert_eq!(ran.out, "seenseen", "{ran:?}");
    let ran = rig.run(&format!(
        "cd {}; cat instance/orchestrator.toml instance/.orchestrator/* home/.ssh/* home/.netrc home/.claude/*",
        shown(&rig.path(""))
    ));
    assert_eq!(ran.out, "", "{ran:?}");
    rig.choice = Choice::Landlock;
    let refused = rig.probe(&std::env::var_os("PATH").unwrap()).unwrap_err();
    assert!(
        refused.to_string().contains("cannot be hidden by landlock"),
        "{refused}"
    );
}

/// What runs code for whoever comes after stays as it is. Seen to fail with `Arguments::freeze` taken out.
#[test]
fn configuration_that_runs_code_is_frozen() {
    let mut rig = Rig::new(Choice::Bubblewrap);
    let top = rig.path("workspace");
    for name in [".git", ".claude/hooks", ".vscode"] {
        fs::create_dir_all(top.join(name)).unwrap();
    }
    for name in [
        ".git/config",
        ".claude/settings.json",
        ".mcp.json",
        ".vscode/tasks.json",
    ] {
        fs::write(top.join(name), "as it was").unwrap();
    }
    rig.cell.frozen = sandbox::configuration(&top, &[]);
    let (frozen, barren) = sandbox::git_folder(&top.join(".git"));
    rig.cell.frozen.extend(frozen);
    rig.cell.barren = barren;
    for script in [
        "echo x > .claude/settings.json",
        "rm .mcp.json",
        "mv .mcp.json x",
        "echo x > .vscode/tasks.json",
        "echo x > .claude/hooks/pre.sh",
        "echo x > .git/hooks/pre-commit",
        "git config core.fsmonitor /bin/true",
        "mv .git .git2",
        "mv .claude .claude2",
        "rm -rf .git/hooks && mkdir .git/hooks && echo x > .git/hooks/post-commit",
    ] {
        let ran = rig.run(script);
        assert_ne!(ran.code, 0, "{script}: {ran:?}");
    }
    for name in [
        ".git/config",
        ".claude/settings.json",
        ".mcp.json",
        ".vscode/tasks.json",
    ] {
        assert_eq!(fs::read_to_string(top.join(name)).unwrap(), "as it was", "{name}");
    }
    assert_eq!(fs::read_dir(top.join(".git/hooks")).unwrap().count(), 0);
    assert_eq!(
        rig.run("touch .claude/notes .git/index").code,
        0,
        "the rest may be changed"
    );
}
