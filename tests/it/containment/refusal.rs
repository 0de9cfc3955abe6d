//! A cell that cannot be had, or does not hold: nothing runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use orchestrator::sandbox::Choice;

use super::rig::Rig;

/// A PATH with this script as its `bwrap`.
fn with_bwrap(rig: &Rig, script: &str) -> OsString {
    let folder = rig.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("bwrap");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder.into()
}

/// What bubblewrap says where user namespaces are off.
const OFF: &str = "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n";
/// One that only seems to contain: it runs what is behind the dashes as it is.
const SHAM: &str = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n";

/// One that contains the network alone.
fn half() -> String {
    let path = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join("bwrap"))
        .find(|path| path.exists());
    let real = real.unwrap().display().to_string();
    format!(
        "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec {real} --unshare-net --dev-bind / / -- \"$@\"\n"
    )
}

/// Seen to fail with landlock tried for every choice in `Local::probe`.
#[test]
fn without_bubblewrap_nothing_runs_unless_landlock_may() {
    let rig = Rig::new(Choice::Bubblewrap);
    let refused = rig.probe("/nowhere".as_ref()).unwrap_err().to_string();
    assert!(
        refused.starts_with("sandbox: bubblewrap: there is no program"),
        "{refused}"
    );
    let auto = Rig::new(Choice::Auto);
    let probed = auto.probe("/nowhere".as_ref()).unwrap();
    assert_eq!(probed.by, "landlock and seccomp");
    assert!(!probed.gaps.is_empty(), "what it does not stop is told");
    let rig = Rig::new(Choice::Auto);
    let probed = rig.probe(&std::env::var_os("PATH").unwrap()).unwrap();
    assert_eq!((probed.by.as_str(), probed.policy.len()), ("bubblewrap", 16));
}

/// Seen to fail likewise.
#[test]
fn without_user_namespaces_nothing_runs() {
    let rig = Rig::new(Choice::Bubblewrap);
    let refused = rig.probe(&with_bwrap(&rig, OFF)).unwrap_err().to_string();
    assert!(
        refused.starts_with("sandbox: bubblewrap: it cannot be set up"),
        "{refused}"
    );
}

/// Seen to fail with the findings' holes not looked at in `probe::verdict`: the half one was taken for a sandbox.
#[test]
fn a_sandbox_that_does_not_hold_is_found_out() {
    let rig = Rig::new(Choice::Bubblewrap);
    let refused = rig.probe(&with_bwrap(&rig, SHAM)).unwrap_err().to_string();
    assert!(refused.contains("cannot be set up"), "{refused}");
    let refused = rig.probe(&with_bwrap(&rig, &half())).unwrap_err().to_string();
    for hole in [
        "canary can be read",
        "escape can be made",
        "escape was made outside",
    ] {
        assert!(refused.contains(hole), "{hole}: {refused}");
    }
    assert!(!rig.path("attempt/probe").exists(), "a trial leaves nothing");
}
