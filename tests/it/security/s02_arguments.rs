//! S02: names, folders, branches and addresses are arguments, never commands; and a worker's push goes nowhere.

use std::fs;
use std::process::Command;

use crate::main_job::world::{World, finished, section};

/// The whole way, from the queue file; `workspace::hostile` has the same and more at the adapter.
#[test]
fn hostile_workspaces_run_nothing() {
    let world = World::new();
    let canary = world.path("canary");
    let touch = format!("touch {}", canary.display());
    let hostile = [
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("; {touch} ;"),
        format!("--upload-pack={touch}"),
        format!("ext::sh -c '{touch}'"),
        format!("ssh://-oProxyCommand={touch}/x"),
        format!("ssh://host/x --upload-pack='{touch}'"),
        "file:///no/such/repository".to_owned(),
        "fd::17/x".to_owned(),
    ];
    let sections: Vec<String> = hostile
        .iter()
        .enumerate()
        .map(|(n, text)| section(&format!("t{n}"), &format!("- **Workspace:** {text}\n")))
        .collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    world.save_tasks(&sections);
    world.run(&["tick", "--wait"]);
    assert!(!canary.exists());
    for (n, text) in hostile.iter().enumerate() {
        let task = world.task(&format!("t{n}"));
        assert_ne!(task["state"], "completed", "{text}: {task}");
        assert!(!world.root().join("workers/done.txt").exists());
    }
}

/// The base of a task is a commit, found by its full name; a repository's remotes are never fetched from.
#[test]
fn a_hostile_branch_and_remote_are_only_names() {
    let world = World::new();
    let canary = world.path("canary");
    let repo = world.repository("repo", &[("a.txt", "one\n")].into());
    let branch = format!("--upload-pack=touch${{IFS}}{}", canary.display());
    let head = world.git(&repo, &["rev-parse", "HEAD"]);
    let file = repo.join(".git/refs/heads").join(&branch);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, head).unwrap();
    fs::write(repo.join(".git/HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
    let url = format!("ext::sh -c 'touch {}'", canary.display());
    world.git(&repo, &["config", "remote.origin.url", &url]);
    world.git(&repo, &["config", "remote.origin.promisor", "true"]);
    world.save_tasks(&[&section("t", &format!("- **Workspace:** {}\n", repo.display()))]);
    world.run(&["tick", "--wait"]);
    assert!(!canary.exists());
    let task = world.task("t");
    assert!(
        ["completed", "blocked"].contains(&task["state"].as_str().unwrap()),
        "{task}"
    );
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
