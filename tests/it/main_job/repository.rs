//! A git repository is the queue: real git, a bare repository beside the instance, people who push while we do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::{World, finished, queue, section, section_of};

/// Looks often, and gathers hardly at all.
const QUEUE: &str = "[queue]\nrepository = \"../queue.git\"\npull = \"200ms\"\nbatch = \"50ms\"\nauthor = \"Robot <robot@example.org>\"\n";
const SCHEDULER: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n";

/// A bare repository, and a person's clone of it.
pub(super) struct Repo {
    pub(super) bare: PathBuf,
    pub(super) clone: PathBuf,
}

impl Repo {
    /// With a queue of these sections.
    pub(super) fn new(folder: &Path, sections: &[&str]) -> Self {
        let repo = Self {
            bare: folder.join("queue.git"),
            clone: folder.join("clone"),
        };
        fs::create_dir_all(&repo.bare).unwrap();
        git(
            &repo.bare,
            &["init", "--quiet", "--bare", "--initial-branch=main"],
        );
        let bare = repo.bare.display().to_string();
        git(folder, &["clone", "--quiet", &bare, "clone"]);
        fs::write(repo.clone.join("README.md"), "ours\n").unwrap();
        repo.write("PROACTIVE-JOBS.md", &queue(sections));
        repo.commit("start");
        assert!(repo.try_push(&[]));
        repo
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.clone.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) {
        git(&self.clone, &["checkout", "--quiet", "-B", "main"]);
        git(&self.clone, &["add", "--all"]);
        git(&self.clone, &["commit", "--quiet", "--message", message]);
    }

    fn try_push(&self, more: &[&str]) -> bool {
        let args = [&["push", "--quiet"], more, &["origin", "main"]].concat();
        try_git(&self.clone, &args).is_some()
    }

    /// A person's edit of the queue: again from the newest content, where somebody else was faster.
    fn edit(&self, change: impl Fn(&str) -> String) {
        for _ in 0..200 {
            git(&self.clone, &["fetch", "--quiet", "origin"]);
            git(&self.clone, &["reset", "--quiet", "--hard", "origin/main"]);
            let before = fs::read_to_string(self.clone.join("PROACTIVE-JOBS.md")).unwrap();
            let after = change(&before);
            assert_ne!(before, after, "the edit changes nothing");
            self.write("PROACTIVE-JOBS.md", &after);
            self.commit("by hand");
            if self.try_push(&[]) {
                return;
            }
        }
        panic!("nobody can push beside it");
    }

    fn set_status(&self, task: &str, status: &str) {
        self.edit(|text| {
            let at = text.find(&format!("### {task}")).expect("its section");
            let line = at + text[at..].find("- **Status:**").expect("its status");
            let end = line + text[line..].find('\n').expect("the end of its line");
            format!("{}- **Status:** {status}{}", &text[..line], &text[end..])
        });
    }

    /// The file on the branch, as it is now.
    pub(super) fn text(&self) -> String {
        git(&self.bare, &["show", "main:PROACTIVE-JOBS.md"])
    }

    pub(super) fn field(&self, task: &str, key: &str) -> Option<String> {
        let text = self.text();
        let line =
            { section_of(&text, task)?.lines() }.find_map(|l| l.strip_prefix(&format!("- **{key}:** ")))?;
        Some(line.to_owned())
    }

    fn log(&self, format: &str) -> String {
        git(&self.bare, &["log", &format!("--format={format}"), "main"])
    }

    pub(super) fn until_archived(&self, world: &World, task: &str) {
        world.until(&format!("{task} is archived in the repository"), || {
            let text = self.text();
            let (_, archived) = text.split_once("## Archived Tasks")?;
            archived.contains(&format!("### {task}")).then_some(())
        });
    }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let who = ["-c", "user.name=jane", "-c", "user.email=jane@example.org"];
    let mut command = Command::new("git");
    command.args(who).args(args).current_dir(dir);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn try_git(dir: &Path, args: &[&str]) -> Option<String> {
    let ran = finished(&mut command(dir, args));
    (ran.code == 0).then_some(ran.out)
}

fn git(dir: &Path, args: &[&str]) -> String {
    let ran = finished(&mut command(dir, args));
    assert_eq!(ran.code, 0, "git {args:?}: {ran:?}");
    ran.out
}

fn hook(repo: &Repo, name: &str, script: &str) -> PathBuf {
    let path = repo.bare.join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn scene(sections: &[&str]) -> (World, Repo) {
    let world = World::configured(SCHEDULER, QUEUE);
    let repo = Repo::new(&world.path(""), sections);
    (world, repo)
}

/// A worker that waits until it may end.
fn patient(world: &World, task: &str) -> PathBuf {
    let go = world.path("go");
    let script = format!(
        "while [ ! -e \"{}\" ]; do sleep 0.05; done\necho x > done.txt\n",
        go.display()
    );
    world.worker(task, &script);
    go
}

fn until_said(world: &World, repo: &Repo, task: &str, status: &str) {
    world.until(&format!("{task} is said to be {status}"), || {
        (repo.field(task, "Status")? == status).then_some(())
    });
}

fn until_problem(world: &World, code: &str) -> String {
    world.until(code, || {
        let status = world.status();
        let problems = status["problems"].as_array().unwrap().clone();
        let found = problems.into_iter().find(|p| p["code"] == code)?;
        Some(found.to_string())
    })
}

fn until_no_problem(world: &World, code: &str) {
    world.until(&format!("no {code}"), || {
        let problems = world.status()["problems"].to_string();
        (!problems.contains(code)).then_some(())
    });
}

#[test]
fn work_is_read_from_it_and_written_down_by_commits() {
    let (world, repo) = scene(&[
        "Some *prose*.  \r\n",
        &section("a", ""),
        &section("b", "- **Job:** own\n"),
    ]);
    repo.write(
        "jobs/own.md",
        "---\nname: own\ndescription: d\n---\nDo {{ task.description }}\n",
    );
    repo.commit("a job");
    assert!(repo.try_push(&[]));
    let own = world.queue();
    let mut up = world.up();
    repo.until_archived(&world, "a");
    repo.until_archived(&world, "b");
    assert_eq!(world.queue(), own, "the instance's own file is nobody's queue");
    let text = repo.text();
    assert!(text.contains("Some *prose*.  \r\n"), "{text}");
    assert_eq!(repo.field("a", "Status").as_deref(), Some("completed"));
    assert_eq!(git(&repo.bare, &["show", "main:README.md"]), "ours\n");
    let log = repo.log("%an <%ae> %cn %B");
    assert!(log.contains("Robot <robot@example.org> Robot"), "{log}");
    assert!(
        log.contains("a: ") && log.contains("Orchestrator-Status: a completed"),
        "{log}"
    );
    assert_eq!(
        world.status()["problems"],
        serde_json::json!([]),
        "{:#}",
        world.status()
    );
    // A second life from the same repository asks for nothing.
    assert_eq!(up.end(), 0);
    let commits = repo.log("%H");
    world.done(&["tick", "--wait"]);
    assert_eq!(repo.log("%H"), commits);
}

#[test]
fn what_becomes_due_together_is_one_commit() {
    let sections: Vec<String> = (0..6).map(|n| section(&format!("t{n}"), "")).collect();
    let (world, repo) = scene(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let toml = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&toml)
        .unwrap()
        .replace("batch = \"50ms\"", "batch = \"4s\"");
    fs::write(&toml, text.replace("max_concurrent = 4", "max_concurrent = 6")).unwrap();
    let go = patient(&world, "t0");
    (1..6).for_each(|n| drop(patient(&world, &format!("t{n}"))));
    let _up = world.up();
    world.until("all are said to be at work", || {
        (0..6)
            .all(|n| repo.field(&format!("t{n}"), "Status").as_deref() == Some("in-progress"))
            .then_some(())
    });
    let ours = repo.log("%an").lines().filter(|name| *name == "Robot").count();
    assert!(ours <= 2, "{}", repo.log("%an %s"));
    fs::write(go, "").unwrap();
}

#[test]
fn a_single_pass_reads_and_writes_it() {
    let (world, repo) = scene(&[&section("a", "")]);
    world.done(&["tick", "--wait"]);
    repo.until_archived(&world, "a");
    let known = world.task("a");
    assert_eq!(known["state"], "completed");
}

#[test]
fn tasks_are_added_and_looked_at_from_the_command_line() {
    let (world, repo) = scene(&[]);
    let before = world.run(&["status", "--json"]);
    assert!(before.out.contains("queue-repository-unread"), "{before:?}");
    world.done(&["add", "x", "Do x"]);
    assert!(repo.text().contains("### x: Do x"), "{}", repo.text());
    assert!(repo.log("%s").starts_with("x: added\n"));
    assert_eq!(world.run(&["add", "x", "Do x"]).code, 4, "it is there");
    repo.edit(|text| text.replace("- **Priority:** medium", "- **Priority:** nonsense"));
    let lint = world.run(&["lint", "--json"]);
    assert!(lint.out.contains("unknown-priority"), "{lint:?}");
    repo.edit(|text| text.replace("nonsense", "high"));
    let plan = world.done(&["plan", "--json"]);
    assert!(plan.out.contains("\"start\""), "{plan:?}");
    let _up = world.up();
    repo.until_archived(&world, "x");
    world.done(&["add", "y", "Do y"]);
    repo.until_archived(&world, "y");
    fs::rename(&repo.bare, world.path("moved.git")).unwrap();
    let away = world.run(&["add", "z", "Do z"]);
    assert_eq!(away.code, 5, "{away:?}");
}

#[test]
fn a_repository_that_is_away_costs_nothing_but_its_news() {
    let (world, repo) = scene(&[&section("a", "")]);
    let go = patient(&world, "a");
    let mut up = world.up();
    until_said(&world, &repo, "a", "in-progress");
    let moved = world.path("moved.git");
    fs::rename(&repo.bare, &moved).unwrap();
    let problem = until_problem(&world, "queue-repository-away");
    assert!(problem.contains("queue.git"), "{problem}");
    fs::write(go, "").unwrap();
    world.until_state("a", "completed");
    // Also a service that starts meanwhile goes on from what it saw last, and cancels nothing.
    assert_eq!(up.end(), 0);
    let _up = world.up();
    until_problem(&world, "queue-repository-away");
    fs::rename(&moved, &repo.bare).unwrap();
    repo.until_archived(&world, "a");
    until_no_problem(&world, "queue-repository-away");
    assert_eq!(world.task("a")["state"], "completed");
}

#[test]
fn nobody_s_push_is_lost_in_a_race() {
    let names: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let sections: Vec<String> = names.iter().map(|name| section(name, "")).collect();
    let (world, repo) = scene(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let go = patient(&world, "t7");
    let _up = world.up();
    for note in 0..12 {
        repo.edit(|text| text.replace("## Active Tasks\n", &format!("## Active Tasks\n\nNote {note}.\n")));
    }
    repo.set_status("t7", "paused");
    world.until_state("t7", "paused");
    names[..7]
        .iter()
        .for_each(|name| repo.until_archived(&world, name));
    let text = repo.text();
    (0..12).for_each(|note| assert!(text.contains(&format!("\nNote {note}.\n")), "{note}: {text}"));
    until_said(&world, &repo, "t7", "paused");
    fs::write(go, "").unwrap();
    repo.set_status("t7", "pending");
    repo.until_archived(&world, "t7");
    let parents = repo.log("%p");
    assert!(
        parents.lines().all(|line| line.split(' ').count() <= 1),
        "no merges of ours"
    );
}

#[test]
fn a_person_s_status_wins_over_ours_that_was_on_its_way() {
    let (world, repo) = scene(&[&section("a", "")]);
    let go = patient(&world, "a");
    // The first push of ours meets a person's edit, which comes in between.
    let flag = world.path("met");
    let other = world.path("other");
    let script = format!(
        "#!/bin/sh\n[ -e {flag} ] && exit 0\nread old new ref\ncase $(git log -1 --format=%an $new) in Robot) ;; *) exit 0;; esac\ntouch {flag} {other}\necho not now >&2\nexit 1\n",
        flag = flag.display(),
        other = other.display(),
    );
    hook(&repo, "pre-receive", &script);
    let _up = world.up();
    world.until("ours was on its way", || other.exists().then_some(()));
    repo.set_status("a", "paused");
    world.until_state("a", "paused");
    until_said(&world, &repo, "a", "paused");
    fs::write(go, "").unwrap();
    repo.set_status("a", "pending");
    repo.until_archived(&world, "a");
}

#[test]
fn a_deleted_section_cancels_its_task() {
    let (world, repo) = scene(&[&section("a", ""), &section("b", "")]);
    let go = patient(&world, "a");
    patient(&world, "b");
    let _up = world.up();
    until_said(&world, &repo, "a", "in-progress");
    repo.edit(|text| {
        let gone = section_of(text, "a").unwrap().to_owned();
        text.replace(&gone, "")
    });
    world.until_state("a", "cancelled");
    fs::write(go, "").unwrap();
    repo.until_archived(&world, "b");
}

#[test]
fn a_history_that_is_written_anew_is_followed_and_told() {
    let (world, repo) = scene(&[&section("a", ""), &section("b", "")]);
    let go = patient(&world, "a");
    patient(&world, "b");
    let start = git(&repo.bare, &["rev-parse", "main"]);
    let _up = world.up();
    let both = || {
        let at_work = |task| repo.field(task, "Status").as_deref() == Some("in-progress");
        (at_work("a") && at_work("b")).then_some(())
    };
    world.until("both are said to be at work", both);
    // Back to the beginning, with a third task, and another word for one of the two.
    git(&repo.clone, &["fetch", "--quiet", "origin"]);
    git(&repo.clone, &["reset", "--quiet", "--hard", start.trim()]);
    let text = queue(&[
        &section("a", ""),
        &section("b", "").replace("pending", "paused"),
        &section("c", ""),
    ]);
    repo.write("PROACTIVE-JOBS.md", &text);
    git(
        &repo.clone,
        &["commit", "--quiet", "--all", "--amend", "--message", "anew"],
    );
    assert!(repo.try_push(&["--force"]));
    until_problem(&world, "queue-repository-rewritten");
    repo.until_archived(&world, "c");
    world.until_state("b", "paused");
    until_said(&world, &repo, "a", "in-progress");
    assert_eq!(world.outcomes("a"), ["haiku:-"], "nobody asked for it again");
    assert!(
        !repo.log("%H").contains(start.trim()),
        "what was dropped stays dropped"
    );
    fs::write(go, "").unwrap();
    repo.until_archived(&world, "a");
}

#[test]
fn a_push_whose_answer_is_lost_is_known_again() {
    let (world, repo) = scene(&[&section("a", "")]);
    let go = patient(&world, "a");
    let lost = world.path("lost");
    // The branch is moved, and the other side dies before it says so.
    let script = format!(
        "#!/bin/sh\n[ -e {0} ] && exit 0\ntouch {0}\nkill -9 $PPID\n",
        lost.display()
    );
    let _up = {
        hook(&repo, "post-receive", &script);
        world.up()
    };
    world.until("an answer was lost", || lost.exists().then_some(()));
    until_said(&world, &repo, "a", "in-progress");
    fs::write(go, "").unwrap();
    repo.until_archived(&world, "a");
    assert_eq!(world.outcomes("a"), ["haiku:done"]);
}

#[test]
fn what_the_other_side_does_not_take_is_said() {
    let (world, repo) = scene(&[&section("a", "")]);
    let hook = hook(
        &repo,
        "pre-receive",
        "#!/bin/sh\necho the branch is protected >&2\nexit 1\n",
    );
    let _up = world.up();
    let problem = until_problem(&world, "queue-repository-refused");
    assert!(problem.contains("pre-receive hook declined"), "{problem}");
    world.until_state("a", "completed");
    fs::remove_file(hook).unwrap();
    repo.until_archived(&world, "a");
    until_no_problem(&world, "queue-repository-refused");
}

#[test]
fn a_repository_without_a_queue_says_what_is_missing() {
    let (world, repo) = scene(&[&section("a", "")]);
    let go = patient(&world, "a");
    let _up = world.up();
    world.until_state("a", "in-progress");
    git(&repo.clone, &["fetch", "--quiet", "origin"]);
    git(&repo.clone, &["reset", "--quiet", "--hard", "origin/main"]);
    git(&repo.clone, &["mv", "PROACTIVE-JOBS.md", "OTHER.md"]);
    repo.commit("moved");
    world.until("it is pushed", || {
        repo.try_push(&[]).then_some(()).or_else(|| {
            git(&repo.clone, &["pull", "--quiet", "--rebase", "origin", "main"]);
            None
        })
    });
    let problem = until_problem(&world, "queue-repository-empty");
    assert!(problem.contains("no file PROACTIVE-JOBS.md"), "{problem}");
    assert_eq!(world.task("a")["state"], "in-progress", "nothing is cancelled");
    let huge = "x".repeat(17 << 20);
    repo.write("PROACTIVE-JOBS.md", &huge);
    repo.commit("huge");
    assert!(repo.try_push(&[]));
    world.until("its size is said", || {
        let problems = world.status()["problems"].to_string();
        problems.contains("of 17 MiB").then_some(())
    });
    git(&repo.clone, &["mv", "-f", "OTHER.md", "PROACTIVE-JOBS.md"]);
    repo.commit("back");
    assert!(repo.try_push(&[]));
    fs::write(go, "").unwrap();
    repo.until_archived(&world, "a");
    until_no_problem(&world, "queue-repository-empty");
}

#[test]
fn old_sections_go_to_the_archive_of_the_repository() {
    let (world, repo) = scene(&[&section("a", "")]);
    let old = |n: u32| {
        format!(
            "\n### old{n:02}: Old\n- **Description:** Done.\n- **Status:** completed\n- **Completed:** 2026-01-{n:02}T10:00:00Z\n"
        )
    };
    repo.edit(|text| format!("{text}{}", (1..=20).rev().map(old).collect::<String>()));
    let _up = world.up();
    repo.until_archived(&world, "a");
    let archive = git(&repo.bare, &["show", "main:archive/2026-01.md"]);
    assert!(archive.contains("### old01: Old"), "{archive}");
    assert!(!repo.text().contains("old01"), "{}", repo.text());
    let files = git(&repo.bare, &["show", "--name-only", "--format=", "main:archive"]);
    assert!(files.contains("2026-01.md"), "{files}");
    assert!(!world.root().join("archive/2026-01.md").exists());
}
