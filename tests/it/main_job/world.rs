//! An instance in a temporary folder, its service, and what can be seen of both from outside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orchestrator::runtime::process::kill_strays;
use serde_json::Value;

pub const EXE: &str = env!("CARGO_BIN_EXE_orchestrator");

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// Short times, three tiers, one `command` runtime; its worker does what `workers/TASK` says, else writes `done.txt`.
const SCHEDULER: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n";
const REST: &str = r#"
[policy]
start = "lowest"
continuation_delay = "50ms"
backoff_initial = "50ms"
backoff_max = "200ms"
kill_grace = "300ms"
[[tiers]]
name = "haiku"
model = "model-h"
runtimes = ["script"]
[[tiers]]
name = "sonnet"
model = "model-s"
runtimes = ["script"]
[[tiers]]
name = "opus"
model = "model-o"
runtimes = ["script"]
[gate]
checks = [ { name = "work", run = "test -f done.txt" } ]
"#;
const WORKER: &str = r#"
home=$(dirname "$0")
if [ -f "$home/workers/$ORCHESTRATOR_TASK_ID" ]; then
    . "$home/workers/$ORCHESTRATOR_TASK_ID"
else
    echo "attempt $ORCHESTRATOR_ATTEMPT" > done.txt
fi
"#;

/// An instance.
pub struct World {
    folder: tempfile::TempDir,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }
}

/// A running service; killed with its handle.
pub struct Up {
    child: Child,
}

impl World {
    pub fn new() -> Self {
        Self::configured(SCHEDULER, "")
    }

    /// With other lines in `[scheduler]`, and more behind.
    pub fn configured(scheduler: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder };
        fs::create_dir(world.path("home")).unwrap();
        fs::create_dir(world.root()).unwrap();
        let ran = world.run(&["init"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        fs::create_dir(world.root().join("workers")).unwrap();
        fs::write(world.root().join("worker.sh"), WORKER).unwrap();
        let worker = world.root().join("worker.sh");
        let runtime = format!(
            "[runtimes.script]\nkind = \"command\"\ncommand = [\"sh\", {:?}]\n",
            worker.display().to_string()
        );
        let config = format!("[scheduler]\n{scheduler}{REST}{runtime}{more}");
        fs::write(world.root().join("orchestrator.toml"), config).unwrap();
        world
    }

    /// A path beside the instance.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.path("instance")
    }

    pub fn queue_path(&self) -> PathBuf {
        self.root().join("PROACTIVE-JOBS.md")
    }

    /// What the worker of a task does.
    pub fn worker(&self, task: &str, script: &str) {
        fs::write(self.root().join("workers").join(task), script).unwrap();
    }

    /// Writes the queue as editors do: a new file, renamed over the old one.
    pub fn save(&self, text: impl AsRef<[u8]>) {
        let fresh = self.root().join("queue.tmp");
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, self.queue_path()).unwrap();
    }

    /// A queue of these sections.
    pub fn save_tasks(&self, sections: &[&str]) {
        self.save(queue(sections));
    }

    pub fn queue(&self) -> String {
        fs::read_to_string(self.queue_path()).unwrap()
    }

    /// What has left the queue file for the archive of a month.
    pub fn archive(&self) -> String {
        let entries = fs::read_dir(self.root().join("archive")).unwrap();
        // What is just being written beside them is none yet.
        let months = { entries.map(|entry| entry.unwrap().path()) }
            .filter(|path| path.extension().is_some_and(|e| e == "md"));
        months.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// A person's edit: read, change, rename over; again if the file changed meanwhile.
    pub fn edit(&self, change: impl Fn(&str) -> String) {
        loop {
            let before = self.queue();
            let after = change(&before);
            assert_ne!(before, after, "the edit changes nothing");
            if self.queue() == before {
                return self.save(after);
            }
        }
    }

    /// Sets the status in a task's section.
    pub fn set_status(&self, task: &str, status: &str) {
        self.edit(|text| {
            let at = text.find(&format!("### {task}")).expect("its section");
            let line = at + text[at..].find("- **Status:**").expect("its status");
            let end = line + text[line..].find('\n').expect("the end of its line");
            format!("{}- **Status:** {status}{}", &text[..line], &text[end..])
        });
    }

    /// The value of a field in a task's section.
    pub fn field(&self, task: &str, key: &str) -> Option<String> {
        let text = self.queue();
        let section = section_of(&text, task)?;
        let line = section
            .lines()
            .find_map(|l| l.strip_prefix(&format!("- **{key}:** ")))?;
        Some(line.to_owned())
    }

    /// A command in this instance with a clean environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(EXE);
        command.args(args).current_dir(self.root()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.path("home")).env("USER", "mary");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finished(&mut self.command(args))
    }

    /// Runs a command that must succeed.
    pub fn done(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    /// Starts the service and waits until it is at work.
    pub fn up(&self) -> Up {
        self.up_as(|_| {})
    }

    /// The same with another environment.
    pub fn up_as(&self, change: impl FnOnce(&mut Command)) -> Up {
        let up = self.start(change);
        self.until("the service runs", || {
            let status = self.status();
            (status["service"]["pid"] == up.pid()).then_some(())
        });
        up
    }

    /// Starts the service.
    pub fn up_at_once(&self) -> Up {
        self.start(|_| {})
    }

    pub fn start(&self, change: impl FnOnce(&mut Command)) -> Up {
        let log = |name: &str| {
            let path = self.path(name);
            File::options().create(true).append(true).open(path).unwrap()
        };
        let mut command = self.command(&["up"]);
        change(&mut command);
        let child = command.stdout(log("up.out")).stderr(log("up.err")).spawn();
        Up {
            child: child.unwrap(),
        }
    }

    pub fn status(&self) -> Value {
        self.done(&["status", "--json", "--all"]).json()
    }

    /// A task as `status` shows it; null where there is none.
    pub fn task(&self, id: &str) -> Value {
        let status = self.status();
        let tasks = status["tasks"].as_array().unwrap();
        tasks.iter().find(|t| t["id"] == id).cloned().unwrap_or_default()
    }

    /// Waits until a task is in a state, and gives it.
    pub fn until_state(&self, id: &str, state: &str) -> Value {
        self.until_task(id, state, |task| task["state"] == state)
    }

    pub fn until_task(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(&format!("{id}: {what}"), || {
            let task = self.task(id);
            wanted(&task).then_some(task)
        })
    }

    /// Waits until the section of a task is below `## Archived Tasks`.
    pub fn until_archived(&self, id: &str) {
        self.until(&format!("{id} is archived"), || {
            let text = self.queue();
            let (_, archived) = text.split_once("## Archived Tasks")?;
            archived.contains(&format!("### {id}")).then_some(())
        });
    }

    pub fn until_file(&self, path: &Path) -> String {
        self.until(&path.display().to_string(), || {
            fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))
        })
    }

    /// Polls until there is an answer.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if Instant::now() > deadline {
                panic!("never: {what}\n{}", self.story());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What one wants to see of a world in which something did not come.
    fn story(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let progress = fs::read_dir(self.root().join("progress")).into_iter().flatten();
        let progress: String = progress.flatten().map(|file| read(file.path())).collect();
        format!(
            "{}\n--- queue\n{}\n--- progress\n{progress}\n--- out\n{}\n--- err\n{}",
            self.run(&["status"]).out,
            read(self.queue_path()),
            read(self.path("up.out")),
            read(self.path("up.err")),
        )
    }

    /// What the service printed so far.
    pub fn reports(&self) -> String {
        fs::read_to_string(self.path("up.out")).unwrap_or_default()
    }

    /// What the service logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("up.err")).unwrap_or_default()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.root().join(".orchestrator")
    }

    fn attempt_dirs(&self) -> Vec<PathBuf> {
        let list = |dir: PathBuf| {
            let entries = fs::read_dir(dir).into_iter().flatten();
            entries.map(|e| e.unwrap().path()).collect::<Vec<_>>()
        };
        let tasks = list(self.state_dir().join("attempts"));
        tasks.into_iter().flat_map(list).collect()
    }

    /// The outcomes of a task's attempts, oldest first.
    pub fn outcomes(&self, id: &str) -> Vec<String> {
        let task = self.task(id);
        let attempts = task["attempts"].as_array().unwrap().iter();
        let word = |a: &Value| {
            format!(
                "{}:{}",
                a["tier"].as_str().unwrap(),
                a["outcome"].as_str().unwrap_or("-")
            )
        };
        attempts.map(word).collect()
    }

    /// A git repository beside the instance, with these files committed on `main`.
    pub fn repository(&self, name: &str, files: &BTreeMap<&str, &str>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            fs::write(path.join(file), text).unwrap();
        }
        self.git(&path, &["init", "--quiet", "--initial-branch=main"]);
        self.git(&path, &["add", "--all"]);
        self.git(&path, &["commit", "--quiet", "--message=start"]);
        path
    }

    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        let who = ["-c", "user.name=mary", "-c", "user.email=mary@example.org"];
        let mut command = Command::new("git");
        command.args(who).args(args).current_dir(dir);
        command
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let ran = finished(&mut command);
        assert_eq!(ran.code, 0, "git {args:?}: {ran:?}");
        ran.out
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for dir in self.attempt_dirs() {
            let _ = kill_strays(&dir, Duration::from_secs(5));
        }
    }
}

impl Up {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no time for anything.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and its exit code.
    pub fn end(&mut self) -> i32 {
        signal(self.pid(), nix::sys::signal::Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "the service does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let after = stat.rsplit(')').next().unwrap().trim_start();
    !after.starts_with(['Z', 'X'])
}

/// Runs a command to its end.
pub fn finished(command: &mut Command) -> Ran {
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command
        .stdout(out.try_clone().unwrap())
        .stderr(err.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code().unwrap_or(-1),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                break child.wait().map(|_| -9).unwrap();
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let ran = Ran {
        code,
        out: text_of(&mut out),
        err: text_of(&mut err),
    };
    assert_ne!(code, -9, "it does not end: {command:?} {ran:?}");
    ran
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A queue file with these sections.
pub fn queue(sections: &[&str]) -> String {
    format!(
        "# Proactive Jobs\n\n## Active Tasks\n\n{}\n## Archived Tasks\n",
        sections.join("\n")
    )
}

/// A section with these further lines.
pub fn section(id: &str, lines: &str) -> String {
    format!("### {id}: Do {id}\n- **Description:** Do it.\n{lines}- **Status:** pending\n")
}

/// The text of a section, from its heading to the next one.
pub fn section_of<'a>(text: &'a str, id: &str) -> Option<&'a str> {
    let start = text.find(&format!("### {id}"))?;
    let rest = &text[start..];
    let end = rest[1..].find("\n#").map_or(rest.len(), |at| at + 2);
    Some(&rest[..end])
}
