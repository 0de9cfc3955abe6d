//! The whole way: what a check may see, change and reach. Each wall is looked at from both sides: with `containment =
//! "none"`, which takes it away, the same check goes through.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::main_job::world::{World, section};

/// An instance with these lines in its `[gate]`.
fn world(gate: &str) -> World {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("[gate]\n", &format!("[gate]\n{gate}\n"))).unwrap();
    world
}

fn with_check(script: &str) -> String {
    format!(
        "{}\n#### Validation\nProbe:\n```sh\n{script}\n```\n",
        section("t", "")
    )
}

/// No worker is at it.
fn paused(section: &str) -> String {
    section.replace("- **Status:** pending", "- **Status:** paused")
}

/// How the check that the task brings ended: verdict, output.
fn judged(world: &World, script: &str) -> (String, String) {
    world.save_tasks(&[&paused(&with_check(script))]);
    world.done(&["tick"]);
    let gate = world.run(&["validate", "t", "--json"]).json();
    let checks = gate["gate"]["checks"].as_array().unwrap().clone();
    let own = checks
        .iter()
        .find(|check| check["command"].as_str().unwrap().trim() == script.trim());
    let own = own.unwrap_or_else(|| panic!("{gate:#}"));
    let text = |key: &str| own[key].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("output_tail"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_check_reads_no_secret_and_nothing_of_other_tasks() {
    for (gate, verdict) in [("", "passed"), ("containment = \"none\"", "failed")] {
        let world = world(gate);
        let secrets = [
            world.path("home").join(".ssh/id_ed25519"),
            world.state_dir().join("workspaces/other/code"),
            world.state_dir().join("homes/other/.netrc"),
            world.root().join("orchestrator.toml"),
            world.root().join("PROACTIVE-JOBS.md"),
        ];
        for secret in &secrets[..3] {
            fs::create_dir_all(secret.parent().unwrap()).unwrap();
            fs::write(secret, "a secret").unwrap();
        }
        for secret in &secrets {
            let script = format!("if grep -q . {}; then exit 1; fi", shown(secret));
            assert_eq!(judged(&world, &script).0, verdict, "{gate}: {}", secret.display());
        }
    }
}

#[test]
fn a_check_writes_nowhere_but_in_its_checkout() {
    for (gate, outside) in [("", false), ("containment = \"none\"", true)] {
        let world = world(gate);
        for place in [
            "beside",
            "home/.bashrc",
            "instance/.orchestrator/planted",
            "instance/worker.sh",
        ] {
            // In the cell there may be an empty folder of that name, which is nobody's.
            judged(&world, &format!("echo planted >> {}", shown(&world.path(place))));
            let there = fs::read_to_string(world.path(place)).is_ok_and(|text| text.contains("planted"));
            assert_eq!(there, outside, "{gate}: {place}");
        }
        // The index by which the gate looks for changes.
        let (verdict, said) = judged(&world, "ls ../own/index");
        assert_eq!(verdict == "passed", outside, "{gate}: {said}");
    }
    let world = world("");
    for script in [
        "echo x > $HOME/x; cat $HOME/x",
        "echo x > $TMPDIR/x",
        "git log -1 --oneline && git status --short",
    ] {
        let (verdict, said) = judged(&world, script);
        assert_eq!(verdict, "passed", "{script}: {said}");
    }
}

#[test]
fn a_check_reaches_listed_hosts_alone() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let _ = client.unwrap().write_all(b"hello\n");
        }
    });
    let script = format!(
        "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/{} && read -r word <&3 && test $word = hello",
        at.port()
    );
    let listed = format!("network = [\"{at}\"]");
    for (gate, verdict) in [
        ("", "failed"),
        (listed.as_str(), "passed"),
        ("containment = \"none\"", "passed"),
    ] {
        let (seen, said) = judged(&world(gate), &script);
        assert_eq!(seen, verdict, "{gate}: {said}");
    }
}

/// Seen to fail with `refusals::refer` taken out of `Gate::run`: the attempt was spent, and the next one began.
#[test]
fn a_check_that_lacks_a_host_waits_for_a_person_and_spends_no_attempt() {
    let world = world("");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let came = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = came.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut client = client.unwrap();
            let _ = std::io::Read::read(&mut client, &mut [0; 2048]);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let script = format!("curl -sS --fail --noproxy '' http://{at}/");
    world.save_tasks(&[&with_check(&script)]);
    world.done(&["tick", "--wait"]);
    let task = world.until_state("t", "blocked");
    assert_eq!(task["waiting"]["for"], "person", "{task:#}");
    let reason = task["blocked_reason"].as_str().unwrap();
    let setting = format!("network = [\"{at}\"]");
    assert!(
        reason.contains(&setting) && reason.contains("orchestrator resume ID"),
        "{reason}"
    );
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
    assert_eq!(came.load(std::sync::atomic::Ordering::SeqCst), 0);
    let gate = world.done(&["show", "t", "--json"]).json()["task"]["gate"].clone();
    let own = gate["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["command"].as_str().unwrap().contains("curl"));
    assert_eq!(
        (
            own.unwrap()["verdict"].as_str(),
            own.unwrap()["exit_code"].is_i64()
        ),
        (Some("needs-person"), true)
    );
    // The setting that the reason names is the one that helps.
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("[gate]\n", &format!("[gate]\n{setting}\n"))).unwrap();
    world.done(&["resume", "t"]);
    world.done(&["tick", "--wait"]);
    world.until_state("t", "completed");
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}

/// Seen to fail with the killing taken out of the runner and `containment = "none"`: the nap went on.
#[test]
fn what_a_check_leaves_running_ends_with_it() {
    let nap = format!("0001.{}", std::process::id());
    let (verdict, said) = judged(
        &world(""),
        &format!("cd / && env -i setsid -f sleep {nap}\necho on its own"),
    );
    assert_eq!((verdict.as_str(), said.as_str()), ("passed", "on its own\n"));
    let alive = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|word| word == nap.as_bytes())
    });
    assert!(!alive);
}

/// Seen to fail with the PATH as it is in `workspace::git`: the orchestrator ran the worker's `git` itself, and saw no work.
#[test]
fn a_program_in_the_work_is_no_tool_of_the_gate() {
    let world = world("");
    world.worker(
        "t",
        "printf '#!/bin/sh\\nexit 0\\n' > git; chmod +x git; touch done.txt",
    );
    world.save_tasks(&[&with_check(
        "case $(command -v git) in /*) ;; *) command -v git; exit 1 ;; esac",
    )]);
    let path = format!(".:{}", std::env::var("PATH").unwrap());
    let ran = crate::main_job::world::finished(world.command(&["tick", "--wait"]).env("PATH", path));
    assert_eq!(ran.code, 0, "{ran:?}");
    world.until_state("t", "completed");
}

/// Nothing is checked by less than what was asked for: a person decides.
#[test]
fn without_a_sandbox_nothing_is_checked() {
    let world = world("");
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        format!("{text}\n[containment]\nsandbox = \"bubblewrap\"\n"),
    )
    .unwrap();
    let tools = world.path("tools");
    fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/bin/false", tools.join("bwrap")).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    world.save_tasks(&[&with_check(&format!("touch {}", shown(&world.path("ran"))))]);
    let ran = crate::main_job::world::finished(world.command(&["tick", "--wait"]).env("PATH", path));
    assert_eq!(ran.code, 0, "{ran:?}");
    let task = world.until_state("t", "blocked");
    let reason = task["blocked_reason"].as_str().unwrap();
    assert!(
        reason.starts_with("sandbox: ") && reason.contains("[gate] containment"),
        "{reason}"
    );
    assert!(!world.path("ran").exists());
}

#[test]
fn a_receipt_is_whole_and_its_output_is_kept() {
    let world = world("");
    world.save_tasks(&[&with_check("seq 5000; echo $ORCHESTRATOR_CHECK_RUN >&2")]);
    world.done(&["tick", "--wait"]);
    world.until_state("t", "completed");
    let show = world.done(&["show", "t", "--json"]).json();
    let gate = &show["task"]["gate"];
    let check = gate["checks"].as_array().unwrap();
    let check = check
        .iter()
        .find(|c| c["command"].as_str().unwrap().contains("seq"))
        .unwrap();
    let receipt = &check["receipt"];
    assert_eq!(receipt["commit"], gate["commit"], "{check:#}");
    for (key, length) in [("tree", 40), ("environment", 64), ("output_sha256", 64)] {
        assert_eq!(receipt[key].as_str().unwrap().len(), length, "{key}");
    }
    assert!(
        receipt["sandbox"].as_str().is_some_and(|by| by.contains(' ')),
        "{receipt}"
    );
    assert!(receipt["output_bytes"].as_u64().unwrap() > 20_000);
    let name = check["name"].as_str().unwrap();
    let log = world.done(&["logs", "t", "--check", name]).out;
    assert!(log.starts_with("1\n2\n3\n") && log.contains("\n5000\n"), "{log}");
    let json = world.done(&["logs", "t", "--check", name, "--json"]).json();
    assert_eq!(
        (&json["complete"], &json["verdict"]),
        (&true.into(), &"passed".into())
    );
    let missing = world.run(&["logs", "t", "--check", "no-such"]);
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.err.contains(name), "{missing:?}");
}

#[test]
fn a_repository_is_read_and_never_written_by_a_check() {
    let world = world("");
    let repository = world.repository("repo", &BTreeMap::from([("a.txt", "one\n")]));
    let script = "git log --format=%s | grep -q start
        git -c user.name=x -c user.email=x@y commit -q --allow-empty -m moved && git update-ref refs/heads/main HEAD";
    let check = format!(
        "{}\n#### Validation\nProbe:\n```sh\n{script}\n```\n",
        section("t", &format!("- **Workspace:** {}\n", repository.display()))
    );
    world.save_tasks(&[&paused(&check)]);
    let before = world.git(&repository, &["rev-parse", "main"]);
    world.done(&["tick"]);
    let gate = world.run(&["validate", "t", "--json"]).json();
    assert!(gate.to_string().contains("moved HEAD"), "{gate:#}");
    assert_eq!(world.git(&repository, &["rev-parse", "main"]), before);
}
