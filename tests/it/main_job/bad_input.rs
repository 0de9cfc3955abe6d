//! Bad input of every kind ends in one clear error that names the place and the cure; nothing panics.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::world::{Ran, World, finished, section};

fn assert_clear(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for words in words {
        assert!(ran.err.contains(words), "no '{words}' in: {}", ran.err);
    }
    assert!(
        !ran.err.contains("panicked") && !ran.err.contains("RUST_BACKTRACE"),
        "{ran:?}"
    );
    assert_eq!(ran.err.matches("error:").count(), 1, "{}", ran.err);
}

fn configured(world: &World, change: impl Fn(&str) -> String) {
    let path = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(&text)).unwrap();
}

#[test]
fn a_wrong_configuration_is_told_with_its_place_and_cure() {
    for (wrong, words) in [
        ("[scheduler\n", &["orchestrator.toml", ":1:"][..]),
        (
            "[scheduler]\nmax_concurent = 3\n",
            &["orchestrator.toml:2:1", "max_concurent", "max_concurrent"],
        ),
        ("[sheduler]\n", &["sheduler", "scheduler"]),
        (
            "[scheduler]\ncron = \"* * *\"\n",
            &["orchestrator.toml:2", "cron", "five fields"],
        ),
        (
            "[scheduler]\ntimezone = \"Mars/Base\"\n",
            &["orchestrator.toml:2", "Mars/Base"],
        ),
        (
            "[scheduler]\nmax_concurrent = 0\n",
            &["orchestrator.toml:2", "max_concurrent"],
        ),
        (
            "[scheduler]\nheartbeat_stale_after = \"soon\"\n",
            &["orchestrator.toml:2", "soon"],
        ),
        (
            "[[tiers]]\nname = \"a\"\nmodel = \"m\"\nruntimes = [\"claud\"]\n",
            &["claud", "claude"],
        ),
        ("[runtimes.x]\nkind = \"comand\"\n", &["comand", "command"]),
        (
            "[store]\nurl = \"mysql://x\"\n",
            &["orchestrator.toml:2:7", "sqlite:PATH"],
        ),
    ] {
        let world = World::new();
        fs::write(world.root().join("orchestrator.toml"), wrong).unwrap();
        for verb in ["up", "tick", "status", "doctor"] {
            assert_clear(&world.run(&[verb]), 2, words);
        }
    }
    let world = World::new();
    let ran = finished(
        world
            .command(&["status"])
            .env("ORCHESTRATOR__SCHEDULER__MAX_CONCURENT", "3"),
    );
    assert_clear(&ran, 2, &["ORCHESTRATOR__SCHEDULER__MAX_CONCURENT"]);
    let ran = finished(world.command(&["up"]).env("ORCHESTRATOR_LOG", "a=b=c"));
    assert_clear(&ran, 2, &["a=b=c"]);
}

/// `status` tells the problem, a service lives on with it, and takes the file up again once it is right.
fn survives(break_it: impl Fn(&Path), words: &str) {
    let world = World::new();
    world.save_tasks(&[&section("held", "").replace("pending", "paused")]);
    let mut up = world.up();
    world.until_state("held", "paused");
    break_it(&world.queue_path());
    let told = world.until("status tells it", || {
        let problems = world.status()["problems"].to_string();
        problems.contains("PROACTIVE-JOBS.md").then_some(problems)
    });
    assert!(told.contains(words), "no '{words}' in {told}");
    assert_eq!(
        world.task("held")["state"],
        "paused",
        "what was read last stays in force"
    );
    let lint = world.run(&["lint"]);
    assert!(
        [2, 3].contains(&lint.code) && lint.err.contains("PROACTIVE-JOBS.md"),
        "{lint:?}"
    );
    assert!(up.is_running());
    if world.queue_path().is_dir() {
        fs::remove_dir(world.queue_path()).unwrap();
    }
    world.save_tasks(&[
        &section("held", "").replace("pending", "paused"),
        &section("fresh", ""),
    ]);
    world.until_archived("fresh");
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

#[test]
fn a_queue_that_is_a_folder() {
    survives(
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        "folder",
    );
}

#[test]
fn a_queue_that_is_missing() {
    survives(|path| fs::remove_file(path).unwrap(), "orchestrator init");
}

#[test]
fn a_queue_that_is_too_large() {
    survives(|path| fs::write(path, vec![b'\n'; (16 << 20) + 1]).unwrap(), "16");
}

#[test]
fn a_queue_that_may_not_be_read() {
    if nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: root may read everything");
    }
    survives(
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap(),
        "permission",
    );
}

#[test]
fn bytes_that_are_no_text_stay_and_the_rest_runs() {
    let world = World::new();
    let mut text = b"# Mine \xff\xfe\x80\n\n## Active Tasks\n\n".to_vec();
    text.extend(section("t", "- **Note:** x\n").into_bytes());
    text.extend(b"\n### bad\xc3: No\n- **Status:** pending\n\n## Archived Tasks\n\xf0\x28\n");
    world.save(&text);
    world.done(&["tick", "--wait"]);
    let after = fs::read(world.queue_path()).unwrap();
    assert!(after.starts_with(b"# Mine \xff\xfe\x80\n"));
    assert!(after.windows(3).any(|w| w == b"\xf0\x28\n"));
    assert_eq!(world.task("t")["state"], "completed");
}

#[test]
fn jobs_that_are_missing_or_broken_hold_only_the_tasks_that_name_them() {
    let world = World::new();
    fs::remove_dir_all(world.root().join("jobs")).unwrap();
    world.save_tasks(&[&section("free", ""), &section("bound", "- **Job:** lost\n")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("free")["state"], "completed");
    assert!(
        world.task("bound")["attempts"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    assert!(world.status()["problems"].to_string().contains("lost"));
    fs::create_dir(world.root().join("jobs")).unwrap();
    fs::write(
        world.root().join("jobs/lost.md"),
        "---\nname: [\n---\nDo {{ task.nonsense }}\n",
    )
    .unwrap();
    world.done(&["tick", "--wait"]);
    let problems = world.status()["problems"].to_string();
    assert!(problems.contains("jobs/lost.md"), "{problems}");
    fs::write(
        world.root().join("jobs/lost.md"),
        "---\nname: lost\ndescription: Found.\n---\nDo {{ task.description }}\n",
    )
    .unwrap();
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("bound")["state"], "completed");
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let world = World::new();
    world.done(&["status"]);
    super::crashes::execute(
        &world,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'from the future', 1, x'00', 0)",
    );
    for args in [&["up"][..], &["status"], &["migrate", "--check"]] {
        assert_clear(&world.run(args), 2, &["orchestrator.db", "upgrade orchestrator"]);
    }
}

#[test]
fn a_database_that_is_none_is_refused_and_left_alone() {
    let world = World::new();
    let db = world.state_dir().join("orchestrator.db");
    let text = "this is no database, and whatever it is, it is not ours to delete".repeat(100);
    fs::write(&db, &text).unwrap();
    for verb in ["up", "status"] {
        assert_clear(&world.run(&[verb]), 1, &["orchestrator.db"]);
    }
    assert_eq!(fs::read_to_string(&db).unwrap(), text);
}

#[test]
fn without_git_the_task_says_so_and_nothing_breaks() {
    let world = World::new();
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/sh", bin.join("sh")).unwrap();
    world.save_tasks(&[&section("t", "")]);
    let ran = finished(world.command(&["tick", "--wait"]).env("PATH", &bin));
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    let task = world.task("t");
    assert_eq!(task["state"], "blocked", "{task:#}");
    assert!(
        task["blocked_reason"].as_str().unwrap().contains("git"),
        "{task:#}"
    );
    let doctor = finished(world.command(&["doctor"]).env("PATH", &bin));
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.out.contains("git"), "{doctor:?}");
}

#[test]
fn without_a_home_it_works() {
    let world = World::new();
    world.save_tasks(&[&section("t", "")]);
    let ran = finished(
        world
            .command(&["tick", "--wait"])
            .env_remove("HOME")
            .env_remove("USER"),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(world.task("t")["state"], "completed");
}

#[test]
fn a_runtime_that_is_not_there_is_passed_over_and_told() {
    let world = World::new();
    configured(&world, |text| {
        text.replacen(
            "runtimes = [\"script\"]",
            "runtimes = [\"claude\", \"script\"]",
            1,
        )
    });
    world.save_tasks(&[&section("t", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["runtime"], "script");
    assert!(world.run(&["doctor"]).out.contains("claude"));

    let world = World::new();
    configured(&world, |text| {
        text.replace("runtimes = [\"script\"]", "runtimes = [\"claude\", \"api\"]")
    });
    let _up = world.up();
    world.save_tasks(&[&section("t", "")]);
    let task = world.until_task("t", "it waits", |t| {
        t["waiting"]["why"].to_string().contains("claude")
    });
    assert_eq!(
        (&task["state"], &task["attempt"]),
        (&"pending".into(), &0.into()),
        "{task:#}"
    );
    assert!(
        task["waiting"]["why"].to_string().contains("ANTHROPIC_API_KEY"),
        "{task:#}"
    );
    let why = world.done(&["why", "t"]).out;
    assert!(why.contains("claude"), "{why}");
}

#[test]
fn a_full_disk_stops_nothing_for_good() {
    let world = World::new();
    let disk = world.path("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
        .arg(&disk)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        return eprintln!("skipped: a small file system cannot be mounted here");
    }
    let _disk = Mounted(disk.clone());
    let root = disk.join("instance");
    let run = |args: &[&str]| {
        finished(
            world
                .command(args)
                .current_dir(&disk)
                .env("ORCHESTRATOR_HOME", &root),
        )
    };
    assert_eq!(
        finished(world.command(&["init", "instance"]).current_dir(&disk)).code,
        0
    );
    let config = fs::read_to_string(world.root().join("orchestrator.toml")).unwrap();
    fs::write(root.join("orchestrator.toml"), config).unwrap();
    fs::write(
        root.join("PROACTIVE-JOBS.md"),
        super::world::queue(&[&section("t", "")]),
    )
    .unwrap();
    assert_eq!(run(&["status"]).code, 0);
    let filler = disk.join("filler");
    fill(&filler);
    let before = fs::read(root.join("PROACTIVE-JOBS.md")).unwrap();
    let ran = run(&["tick"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.err.contains("panicked") && ran.err.contains("error: "),
        "{ran:?}"
    );
    assert_eq!(fs::read(root.join("PROACTIVE-JOBS.md")).unwrap(), before);
    fs::remove_file(&filler).unwrap();
    let ran = run(&["tick", "--wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let status = run(&["status", "--json"]).json();
    assert_eq!(status["tasks"][0]["state"], "completed", "{status:#}");
}

fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    while file.write(&[0; 4096]).is_ok_and(|n| n > 0) {}
}

/// Unmounted with it.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

/// Told before it runs, and to a person when it is its turn; a file that nobody committed reaches the worker.
#[test]
fn attachments_are_there_or_a_person_hears_of_it() {
    let world = World::new();
    std::fs::write(world.root().join("note.txt"), "from the instance\n").unwrap();
    world.worker(
        "with",
        "cat \"$(dirname \"$ORCHESTRATOR_OUTCOME_FILE\")\"/attachments/1/note.txt > done.txt",
    );
    world.save_tasks(&[
        &section("with", "- **Attachments:** note.txt\n"),
        &section("without", "- **Attachments:** nowhere.png\n"),
    ]);
    let lint = world.run(&["lint", "--json"]).json();
    let codes: Vec<_> = lint["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["code"].clone())
        .collect();
    assert_eq!(codes, ["missing-attachment"]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("with"), ["haiku:done"]);
    let task = world.task("without");
    assert_eq!(task["state"], "blocked", "{task:#}");
    assert!(
        task["blocked_reason"].as_str().unwrap().contains("nowhere.png"),
        "{task:#}"
    );
}
