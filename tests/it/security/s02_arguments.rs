//! S02: names, folders, branches and addresses are arguments, never commands; and a worker's push goes nowhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::main_job::world::{World, finished, section};

/// The whole way, from the queue file; `workspace::hostile` has the same and more at the adapter.
/// Seen to fail without `source::broken_rule`: options and `ext::` got further.
#[test]
fn hostile_workspaces_run_nothing() {
    let world = World::new();
    let canary = world.path("canary");
    let touch = format!("touch {}", canary.display());
    // The last one reads as an address, too.
    let hostile = [
        (format!("$({touch})"), "does not exist"),
        (format!("`{touch}`"), "does not exist"),
        (format!("; {touch} ;"), "does not exist"),
        (format!("--upload-pack={touch}"), "looks like an option"),
        (format!("ext::sh -c '{touch}'"), "run programs"),
        (format!("ssh://-oProxyCommand={touch}/x"), "looks like an option"),
        (format!("ssh://127.0.0.1:1/x --upload-pack='{touch}'"), "git"),
        ("file:///no/such/repository".to_owned(), "git"),
        ("fd::17/x".to_owned(), "run programs"),
        (format!("ext::sh -c '{touch}' ://x"), "run programs"),
    ];
    let section_of = |(n, (text, _)): (usize, &(String, &str))| {
        section(&format!("t{n}"), &format!("- **Workspace:** {text}\n"))
    };
    let sections: Vec<String> = hostile.iter().enumerate().map(section_of).collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    world.save_tasks(&sections);
    world.run(&["tick", "--wait"]);
    assert!(!canary.exists());
    for (n, (text, words)) in hostile.iter().enumerate() {
        let task = world.task(&format!("t{n}"));
        assert_eq!(task["state"], "blocked", "{text}: {task}");
        let reason = task["blocked_reason"].as_str().unwrap();
        assert!(reason.contains(words), "{text}: {reason}");
    }
}

/// The base of a task is a commit, found by its full name; a repository's remotes are never fetched from, not even for
/// an object that is missing.
/// Seen to fail with `GIT_ALLOW_PROTOCOL` and `GIT_NO_LAZY_FETCH` taken out of `workspace::git`: the remote ran.
#[test]
fn a_hostile_branch_and_remote_are_only_names() {
    let world = World::new();
    let canary = world.path("canary");
    let repo = world.repository("repo", &[("a.txt", "one\n")].into());
    let branch = "--upload-pack=touch${IFS}canary";
    let head = world.git(&repo, &["rev-parse", "HEAD"]);
    let file = repo.join(".git/refs/heads").join(branch);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, head).unwrap();
    fs::write(repo.join(".git/HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
    let poor = world.repository("poor", &[("a.txt", "one\n")].into());
    let blob = world.git(&poor, &["rev-parse", "HEAD:a.txt"]);
    let (folder, rest) = blob.trim().split_at(2);
    fs::remove_file(poor.join(".git/objects").join(folder).join(rest)).unwrap();
    let url = format!("ext::sh -c touch% {}", canary.display());
    for repo in [&repo, &poor] {
        for (key, value) in [
            ("remote.origin.url", url.as_str()),
            ("remote.origin.promisor", "true"),
            ("protocol.ext.allow", "always"),
        ] {
            world.git(repo, &["config", key, value]);
        }
    }
    let at = |id: &str, repo: &Path| section(id, &format!("- **Workspace:** {}\n", repo.display()));
    world.save_tasks(&[&at("t", &repo), &at("poor", &poor)]);
    world.run(&["tick", "--wait"]);
    let near = [&repo, &poor, &world.root(), &world.state_dir()];
    assert!(!canary.exists() && near.iter().all(|folder| !folder.join("canary").exists()));
    assert_eq!(world.task("t")["state"], "completed", "{}", world.task("t"));
    assert_eq!(world.task("poor")["state"], "blocked", "{}", world.task("poor"));
    let mut trap = Command::new("git");
    finished(trap.current_dir(&poor).args(["cat-file", "-p", blob.trim()]));
    assert!(canary.exists(), "the trap itself works");
}

/// Seen to fail with `GIT` taken out of `runtime::environment::of`: the push arrives.
#[test]
fn a_worker_cannot_push_by_the_way() {
    let world = World::new();
    let repo = world.repository("repo", &[("a.txt", "one\n")].into());
    let bare = world.path("bare.git");
    world.git(
        &repo,
        &["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()],
    );
    let out = world.path("pushed");
    let script = format!(
        "git remote add there {bare} 2>/dev/null\n\
         for to in there {bare} file://{bare}; do git push \"$to\" HEAD:refs/heads/stolen; echo $?; done > {out} 2>&1\n\
         git fetch there && git ls-remote there > /dev/null && echo fetched >> {out}; touch done.txt\n",
        bare = bare.display(),
        out = out.display()
    );
    world.worker("t", &script);
    world.save_tasks(&[&section("t", &format!("- **Workspace:** {}\n", repo.display()))]);
    world.run(&["tick", "--wait"]);
    let said = fs::read_to_string(&out).unwrap();
    assert!(said.contains("pushing-is-for-the-orchestrator"), "{said}");
    assert_eq!(
        said.matches("fetched").count(),
        1,
        "reading is no pushing: {said}"
    );
    let mut stolen = Command::new("git");
    stolen
        .current_dir(&bare)
        .args(["rev-parse", "--verify", "--quiet", "refs/heads/stolen"]);
    assert_ne!(finished(&mut stolen).code, 0);
}
