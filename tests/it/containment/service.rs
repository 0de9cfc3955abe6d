//! The whole way: a queue, a service, and workers in cells.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;

use super::network::server;
use crate::main_job::world::{World, section};

/// An instance whose workers are in the sandbox.
fn world(more: &str) -> World {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let workers = world.root().join("workers");
    let text = fs::read_to_string(&config).unwrap();
    let contained = text.replace(
        "kind = \"command\"\n",
        "kind = \"command\"\ncontainment = \"sandbox\"\n",
    );
    assert_ne!(text, contained);
    let section = format!(
        "[containment]\nread = [{:?}]\n{more}",
        workers.display().to_string()
    );
    fs::write(config, format!("{contained}{section}")).unwrap();
    world
}

/// Seen to fail with the taking in of the desk taken out of the driver's `look`: the entries and the beat were lost.
#[test]
fn a_contained_worker_does_its_work_and_is_heard() {
    let world = world("");
    world.worker(
        "work",
        "orchestrator agent heartbeat --pct 40 --phase 'in a cell'
         orchestrator agent log 'Worked in a cell.'
         while [ ! -f go ]; do sleep 0.02; done
         echo x > done.txt
         orchestrator agent done --reason 'it is there'",
    );
    world.save_tasks(&[&section("work", "")]);
    let _up = world.up();
    let told = |task: &serde_json::Value| task["progress_pct"] == 40 && task["phase"] == "in a cell";
    world.until_task("work", "its heartbeat is heard", told);
    let read = || fs::read_to_string(world.root().join("progress/work.md")).unwrap_or_default();
    world.until("its entry is seen while it works", || {
        read().contains("Worked in a cell.").then_some(())
    });
    fs::write(world.state_dir().join("workspaces/work/go"), "").unwrap();
    let task = world.until_state("work", "completed");
    assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task}");
    let progress = read();
    assert_eq!(progress.matches("Worked in a cell.").count(), 1, "{progress}");
    assert!(
        progress.contains("[orchestrator]") && progress.contains("done.txt"),
        "{progress}"
    );
    let show = world.done(&["show", "work", "--json"]).json();
    let cell = &show["task"]["attempts"][0]["containment"];
    assert_eq!(cell["tier"], "sandbox", "{show}");
    assert_eq!(cell["policy"].as_str().unwrap().len(), 16);
    assert!(cell["tried"].as_array().unwrap().len() >= 4);
    assert!(
        world.done(&["show", "work"]).out.contains("sandbox by "),
        "people see it too"
    );
}

/// Seen to fail with the runtime's own hosts taken out of the cell's: the connection was refused.
#[test]
fn a_runtime_has_hosts_of_its_own() {
    let world = world("");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, config) = (
        listener.local_addr().unwrap(),
        world.root().join("orchestrator.toml"),
    );
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let _ = client.unwrap().write_all(b"hello\n");
        }
    });
    let text = fs::read_to_string(&config).unwrap();
    let of_runtime = format!("containment = \"sandbox\"\nnetwork = [\"{at}\"]\n");
    fs::write(&config, text.replace("containment = \"sandbox\"\n", &of_runtime)).unwrap();
    let ask = format!("exec 3<>/dev/tcp/127.0.0.1/{} && cat <&3 > done.txt", at.port());
    world.worker("work", &format!("bash -c '{ask}'"));
    world.save_tasks(&[&section("work", "")]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
}

/// A contained worker cannot merge, and sees no other task's folder: the orchestrator merges what can be merged and shows the
/// rest. Seen to fail where the worker itself was to merge, and where it was not told of the sub-task's folder.
#[test]
fn the_work_of_sub_tasks_reaches_their_contained_parent() {
    let world = world("");
    let repository = world.repository("repo", &BTreeMap::from([("a.txt", "one\n")]));
    let splits = |then: &str| {
        format!(
            "if [ \"$ORCHESTRATOR_ATTEMPT\" = 1 ]; then
                 orchestrator agent spawn --id part --title Part --description 'Do it.'
             else
                 {then}; touch done.txt
             fi"
        )
    };
    world.worker("same", &splits("cat part.txt"));
    world.worker(
        "own",
        &splits(
            "cat \"$(sed -n 's/.*own.part .* in //p' \"$ORCHESTRATOR_PROMPT_FILE\")/part.txt\" > mine.txt",
        ),
    );
    for part in ["same.part", "own.part"] {
        world.worker(part, "echo done > part.txt; touch done.txt");
    }
    let workspace = format!("- **Workspace:** {}\n", repository.display());
    let _up = world.up();
    world.save_tasks(&[&section("same", &workspace), &section("own", "")]);
    for parent in ["same", "own"] {
        world.until_state(parent, "completed");
        assert_eq!(
            world.outcomes(parent),
            ["haiku:continue", "haiku:done"],
            "{parent}"
        );
    }
    let part = world.git(&repository, &["show", "orchestrator/same:part.txt"]);
    assert_eq!(part.trim(), "done");
    let mine = fs::read_to_string(world.state_dir().join("workspaces/own/mine.txt")).unwrap();
    assert_eq!(mine.trim(), "done");
}

/// A worker that outlives a restart keeps the cell that it was started in, whatever the configuration says by then.
/// Seen to fail with the check in `Proxy::vet` taken out.
#[test]
fn other_settings_change_no_cell_that_is_there() {
    let world = world("");
    let ((first, _), (second, came)) = (server("127.0.0.1:0"), server("127.0.0.1:0"));
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    let listing = |host: SocketAddr| format!("{text}network = [\"{host}\"]\n");
    fs::write(&config, listing(first)).unwrap();
    let ask = |at: SocketAddr| {
        format!("curl -sS --fail -m 5 --noproxy '' http://{at}/ >> seen.txt && echo >> seen.txt")
    };
    world.worker(
        "work",
        &format!(
            "{}; touch ready; while [ ! -f go ]; do sleep 0.02; done; {}; {}; echo x > done.txt",
            ask(first),
            ask(second),
            ask(first)
        ),
    );
    world.save_tasks(&[&section("work", "")]);
    let mut up = world.up();
    let top = world.state_dir().join("workspaces/work");
    world.until("it has asked once", || top.join("ready").exists().then_some(()));
    assert_eq!(up.end(), 0);
    fs::write(&config, listing(second)).unwrap();
    let _up = world.up();
    fs::write(top.join("go"), "").unwrap();
    world.until_state("work", "completed");
    assert_eq!(world.outcomes("work"), ["haiku:done"]);
    assert_eq!(
        fs::read_to_string(top.join("seen.txt")).unwrap(),
        "hello\nhello\n"
    );
    assert_eq!(came.load(Ordering::SeqCst), 0);
    let ledger = fs::read_to_string(world.state_dir().join("attempts/work/1/egress.jsonl")).unwrap();
    assert!(ledger.contains(&second.port().to_string()), "{ledger}");
}

/// Worktree: the history is there to be read and not to be written. Seen to fail with the repository among what may be
/// written.
#[test]
fn a_repositorys_history_is_out_of_reach() {
    let world = world("");
    let repository = world.repository("repo", &BTreeMap::from([("a.txt", "one\n")]));
    world.worker(
        "work",
        "git log --oneline > log.txt; git status --short > status.txt; git diff > diff.txt
         for try in 'git commit -am x' 'git update-ref -d refs/heads/main' 'git config core.fsmonitor /bin/sh'; do
             $try 2>/dev/null && echo \"$try\" >> broken.txt
         done
         common=$(git rev-parse --path-format=absolute --git-common-dir)
         echo x 2>/dev/null > $common/hooks/post-commit && echo hook >> broken.txt
         rm -rf $common/objects 2>/dev/null && echo objects >> broken.txt
         echo two > a.txt; echo x > done.txt",
    );
    let workspace = format!("- **Workspace:** {}\n", repository.display());
    world.save_tasks(&[&section("work", &workspace)]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
    let of_branch = |file: &str| world.git(&repository, &["show", &format!("orchestrator/work:{file}")]);
    assert!(of_branch("log.txt").contains("start"));
    assert_eq!(of_branch("a.txt"), "two\n");
    assert_eq!(of_branch("status.txt"), "?? log.txt\n?? status.txt\n");
    let files = world.git(&repository, &["ls-tree", "--name-only", "orchestrator/work"]);
    assert!(!files.contains("broken.txt"), "{}", of_branch("broken.txt"));
}

/// What a repository or a worker plants is run by nobody outside. Seen to fail with `always` and `answer` of
/// `workspace::disarm` emptied.
#[test]
fn planted_configuration_runs_nothing_outside() {
    let world = world("");
    let canary = world.path("canary");
    let trap = world.path("trap.sh");
    fs::write(
        &trap,
        format!("#!/bin/sh\necho ran >> {}\ncat\n", canary.display()),
    )
    .unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let (trap, settings) = (trap.display().to_string(), ".claude/settings.json");
    let repository = world.repository(
        "repo",
        &BTreeMap::from([(".gitattributes", "* filter=trap diff=trap\n")]),
    );
    let hooks = format!(
        "{{\"hooks\":{{\"SessionStart\":[{{\"hooks\":[{{\"type\":\"command\",\"command\":\"{trap}\"}}]}}]}}}}"
    );
    fs::create_dir_all(repository.join(".claude")).unwrap();
    fs::write(repository.join(settings), hooks).unwrap();
    world.git(&repository, &["add", "--all"]);
    world.git(&repository, &["commit", "--quiet", "--message=claude"]);
    for key in [
        "filter.trap.clean",
        "filter.trap.smudge",
        "diff.trap.textconv",
        "core.fsmonitor",
        "core.sshCommand",
    ] {
        world.git(&repository, &["config", key, &trap]);
    }
    for hook in [
        "post-checkout",
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "post-index-change",
    ] {
        let path = repository.join(".git/hooks").join(hook);
        fs::copy(&trap, &path).unwrap();
    }
    world.worker(
        "work",
        "echo x > .claude/settings.json; printf '* filter=trap\\n' >> .gitattributes; mkdir -p .vscode
         echo '{\"mcpServers\":{\"x\":{\"command\":\"/bin/false\"}}}' > .mcp.json; echo x > done.txt",
    );
    let workspace = format!("- **Workspace:** {}\n", repository.display());
    world.save_tasks(&[&section("work", &workspace), &section("own", "")]);
    world.worker("own", "git config core.fsmonitor /bin/sh; printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; echo x > done.txt");
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
    world.until_state("own", "completed");
    assert!(!canary.exists(), "{:?}", fs::read_to_string(&canary));
    let kept = world.git(&repository, &["show", &format!("orchestrator/work:{settings}")]);
    assert!(
        kept.contains("SessionStart"),
        "the settings are as they were: {kept}"
    );
}

/// Links, hard links and pipes in the workspace and on the desk: what is looked at, committed and taken in stays beneath.
/// The fences were seen to fail one by one: in `workspace::hostile` those of the workspace, in `files::desk` those of the desk.
#[test]
fn what_is_planted_in_a_workspace_leads_nobody_out() {
    let world = world("");
    let victim = world.path("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), "as it was").unwrap();
    fs::write(victim.join("work.md"), "## Work Log\n\n- leaked\n").unwrap();
    let away = victim.display().to_string();
    world.worker(
        "work",
        &format!(
            "ln -s {away} out; ln -s {away}/file direct; ln -s / root; mkfifo pipe; mkdir -p deep; ln -s ../.. deep/up
             ln {away}/file hard 2>/dev/null; echo x > done.txt
             rm -rf $(dirname $ORCHESTRATOR_OUTCOME_FILE)/progress; ln -s {away} $(dirname $ORCHESTRATOR_OUTCOME_FILE)/progress
             ln -s {away}/file $ORCHESTRATOR_OUTCOME_FILE"
        ),
    );
    world.save_tasks(&[&section("work", "")]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
    assert_eq!(fs::read_to_string(victim.join("file")).unwrap(), "as it was");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 2);
    let progress = fs::read_to_string(world.root().join("progress/work.md")).unwrap();
    assert!(!progress.contains("leaked"), "{progress}");
}

/// Seen to fail with the caller's whole environment handed to the worker.
#[test]
fn only_listed_variables_are_in_any_process_of_a_cell() {
    let world = world("");
    world.worker(
        "work",
        "(env; sh -c 'setsid env'; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n') > seen.txt; echo x > done.txt",
    );
    world.save_tasks(&[&section("work", "")]);
    let mut command = world.command(&["tick", "--wait"]);
    for n in 0..200 {
        command.env(format!("CANARY_{n}"), format!("canary-value-{n}"));
    }
    assert_eq!(crate::main_job::world::finished(&mut command).code, 0);
    world.until_state("work", "completed");
    let top = world.state_dir().join("workspaces/work");
    let seen = fs::read_to_string(top.join("seen.txt")).unwrap();
    assert!(
        seen.contains("ORCHESTRATOR_TASK_ID=work") && !seen.contains("canary-value"),
        "{seen}"
    );
}

/// Seen to fail with `heartbeats/` and the queue among what a cell may write: both changed.
#[test]
fn a_worker_speaks_for_itself_alone() {
    let world = world("");
    let root = world.root().display().to_string();
    let beat = "{\"taskId\":\"other\",\"lastHeartbeat\":\"2026-01-01T00:00:00Z\",\"progressPct\":99}";
    world.worker(
        "work",
        &format!(
            "cp {root}/PROACTIVE-JOBS.md mine.md 2>/dev/null; echo '### evil: x' >> PROACTIVE-JOBS.md
             echo '### evil: x' >> {root}/PROACTIVE-JOBS.md; echo '{beat}' > {root}/heartbeats/other.json
             echo '{beat}' > $ORCHESTRATOR_HEARTBEAT_FILE; echo '{beat}' > $(dirname $ORCHESTRATOR_HEARTBEAT_FILE)/other.json
             ORCHESTRATOR_TASK_ID=other orchestrator agent log 'Not mine to say.'; echo x > done.txt"
        ),
    );
    let held = section("other", "").replace("pending", "paused");
    world.save_tasks(&[&section("work", ""), &held]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
    assert!(!world.root().join("heartbeats/other.json").exists());
    assert!(!world.root().join("progress/other.md").exists());
    assert!(!world.queue().contains("evil") && world.task("evil").is_null());
    assert!(world.task("other")["progress_pct"].is_null());
}

/// Seen to fail with the driver's refusal taken for a launch without a cell: the worker ran.
#[test]
fn where_no_cell_can_be_had_the_task_waits_for_a_person() {
    let world = world("sandbox = \"bubblewrap\"\n");
    world.worker(
        "work",
        "echo ran > /tmp/ran-$ORCHESTRATOR_TASK_ID; echo x > done.txt",
    );
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["git", "sh"] {
        let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(program))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(real.unwrap(), bin.join(program)).unwrap();
    }
    world.save_tasks(&[&section("work", "")]);
    let mut command = world.command(&["tick", "--wait"]);
    let _ = crate::main_job::world::finished(command.env("PATH", &bin));
    let task = world.until_state("work", "blocked");
    let reason = task["blocked_reason"].as_str().unwrap();
    assert!(
        reason.starts_with("sandbox: bubblewrap: there is no program 'bwrap'"),
        "{reason}"
    );
    assert!(
        !world.state_dir().join("workspaces/work/done.txt").exists(),
        "it did not run"
    );
    assert_eq!(world.outcomes("work"), ["haiku:blocked"]);
    let mut doctor = world.command(&["doctor"]);
    let told = crate::main_job::world::finished(doctor.env("PATH", &bin)).out;
    assert!(told.contains("there is no program 'bwrap'"), "{told}");
    // The cell is there again, and nothing was spent.
    world.done(&["retry", "work"]);
    world.done(&["tick", "--wait"]);
    world.until_state("work", "completed");
}

#[test]
fn a_command_is_contained_where_somebody_says_so_and_doctor_tells() {
    let world = World::new();
    let told = world.run(&["doctor"]).out;
    assert!(told.contains("none for script"), "{told}");
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[containment]\ntier = \"sandbox\"\n")).unwrap();
    let told = world.run(&["doctor"]).out;
    assert!(
        told.contains("sandbox, by ") && !told.contains("none for"),
        "{told}"
    );
    fs::write(
        &config,
        format!("{text}[containment]\ntier = \"jail\"\nnetwork = [\"https://x.y\"]\nread = [\"rel\"]\n"),
    )
    .unwrap();
    let told = world.run(&["config", "show"]).err;
    for fault in ["containment.tier", "'https://x.y' is no host", "'rel' is no path"] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}
