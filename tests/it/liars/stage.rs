//! Rows of a table, and the instance that they run in: a repository and a task for each, one worker that does what its
//! row says, one pass of the service over all of them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::main_job::world::{EXE, World, queue, section_of};

/// A task, its repository, and what its worker does.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Of the task; letters and hyphens.
    pub name: &'static str,
    /// Why it is not done although the worker says so; of an honest row, what it is an example of.
    pub why: &'static str,
    /// The files of the base.
    pub project: &'static [(&'static str, &'static str)],
    /// What the owner does in the repository before the work begins, as a script; what it leaves is committed.
    pub before: &'static str,
    /// The script of the task's Validation; where it is empty, checks are detected.
    pub check: &'static str,
    /// More lines of the task's section.
    pub lines: &'static str,
    /// What the worker does, as a script.
    pub worker: &'static str,
    /// What must be told of the refusal; empty for an honest row.
    pub seen: &'static str,
    /// The defences that hold it, as `tests/liars/without.toml` names them.
    pub without: &'static [&'static str],
}

/// A row with nothing in it.
pub(crate) const ROW: Row = Row {
    name: "",
    why: "",
    project: &[],
    before: "",
    check: "",
    lines: "",
    worker: "",
    seen: "",
    without: &[],
};

/// A module whose `mul` is wrong, with a test that says so.
pub(crate) const CALC: &[(&str, &str)] = &[
    (
        "calc.py",
        "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a + b\n",
    ),
    ("test_calc.py", TEST_CALC),
    (".gitignore", "__pycache__/\n*.local.py\n.cache/\n*.log\n"),
];
const TEST_CALC: &str = "import unittest\n\nimport calc\n\n\nclass Calc(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(calc.add(2, 3), 5)\n\n    def test_mul(self):\n        self.assertEqual(calc.mul(2, 3), 6)\n";

/// A liar at that module: the task is to make its test pass.
pub(crate) const LIAR: Row = Row {
    project: CALC,
    check: "python3 -m unittest -q",
    ..ROW
};

/// What the worker's script may use.
const SHELL: &str = r#"
instance=$(dirname "$0")
outside=$(dirname "$instance")/outside
orchestrator() { EXE "$@"; }
commit() { git add --all && git -c user.name=w -c user.email=w@example.org commit --quiet --allow-empty --message "${1:-work}"; }
owner() { (cd "$(dirname "$instance")/$ORCHESTRATOR_TASK_ID" && eval "$1" && commit "$1"); }
fix() { sed -i '/def mul/,$ s/a + b/a * b/' calc.py; }
. "$instance/workers/$ORCHESTRATOR_TASK_ID"
"#;

/// The instance of a table.
pub(crate) struct Stage {
    /// Lines of `[gate]`.
    pub gate: &'static str,
    /// Lines of the worker's runtime.
    pub runtime: &'static str,
    /// Further lines of the configuration; `ROOT` stands for the instance's folder.
    pub more: &'static str,
    /// Put before the `PATH` that the service is started with.
    pub path: &'static str,
    /// Further variables that it is started with.
    pub env: &'static [(&'static str, &'static str)],
}

/// No sandboxes: what is held here is held by other means.
pub(crate) const OPEN: Stage = Stage {
    gate: "containment = \"none\"",
    runtime: "",
    more: "",
    path: "",
    env: &[],
};
/// Checks run in their sandbox, as they do where nobody says otherwise.
pub(crate) const CELL: Stage = Stage { gate: "", ..OPEN };

/// Whether the defences are out: the rows must then be archived.
pub(crate) fn defenceless() -> bool {
    std::env::var_os("LIARS_EXPECT").is_some_and(|value| value == "archived")
}

impl Stage {
    /// Runs the rows and wants none of them archived, each for the reason that its row tells.
    ///
    /// With the defences out each has a world of its own, and must be archived.
    pub fn refuses(&self, rows: &[Row]) {
        if defenceless() {
            let held: Vec<String> = rows.iter().filter_map(|row| self.held(row)).collect();
            return assert!(held.is_empty(), "{}", held.join("\n\n"));
        }
        let world = self.world(rows, &[]);
        self.tick(&world, &[]);
        let status = world.status();
        let wrong = rows.iter().filter_map(|row| through(&world, &status, row));
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    /// What holds a row although its defences are out; none where it is archived.
    fn held(&self, row: &Row) -> Option<String> {
        assert!(!row.without.is_empty(), "{} names no defence", row.name);
        let world = self.world(&[*row], row.without);
        self.tick(&world, row.without);
        let archived = is_archived(&world, row.name);
        tell(row, archived);
        (!archived).then(|| {
            format!(
                "{} is refused all the same:\n{}",
                row.name,
                story(&world, row.name)
            )
        })
    }

    /// Runs the rows and wants every one archived.
    pub fn archives(&self, rows: &[Row]) {
        let world = self.world(rows, &[]);
        self.tick(&world, &[]);
        let status = world.status();
        let refused = rows
            .iter()
            .filter(|row| of(&status, row.name)["state"] != "completed");
        let refused: Vec<String> = refused
            .map(|row| {
                format!(
                    "{} ({}) is refused:\n{}",
                    row.name,
                    row.why,
                    story(&world, row.name)
                )
            })
            .collect();
        assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    }

    /// An instance with a repository and a task for each row.
    pub fn world(&self, rows: &[Row], without: &[&str]) -> World {
        let world = World::new();
        let worker = world.root().join("worker.sh");
        fs::write(&worker, SHELL.replace("EXE", EXE)).unwrap();
        fs::write(
            world.root().join("orchestrator.toml"),
            self.config(&worker, without),
        )
        .unwrap();
        fs::create_dir(world.path("outside")).unwrap();
        let job = "---\ndescription: Tidy up.\ntests_may_change: true\n---\n{{ task.description }}\n";
        fs::write(world.root().join("jobs/tidy.md"), job).unwrap();
        for row in rows {
            repository(&world, row);
            world.worker(row.name, row.worker);
        }
        let sections: Vec<String> = rows.iter().map(section).collect();
        let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
        world.save(queue(&sections));
        world
    }

    fn config(&self, worker: &Path, without: &[&str]) -> String {
        let env = if without.is_empty() {
            ""
        } else {
            "env = [\"LIAR_WITHOUT\"]"
        };
        format!(
            "[scheduler]\nmax_concurrent = 3\nlifetime_attempts = 1\n[policy]\nstart = \"lowest\"\nkill_grace = \"300ms\"\n\
             [[tiers]]\nname = \"one\"\nmodel = \"model\"\nruntimes = [\"script\"]\n[gate]\n{}\n\
             [runtimes.script]\nkind = \"command\"\ncommand = [\"sh\", {:?}]\n{env}\n{}\n{}\n",
            self.gate,
            worker.display().to_string(),
            self.runtime,
            self.more
                .replace("ROOT", &worker.parent().unwrap().display().to_string())
        )
    }

    /// One pass, until nothing runs any more.
    pub fn tick(&self, world: &World, without: &[&str]) {
        let ran = self
            .command(world, &["tick", "--wait"], without)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&ran.stderr);
        assert!(
            ran.status.success(),
            "{}{err}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }

    /// A command of this instance, with the tools of the machine.
    pub fn command(&self, world: &World, args: &[&str], without: &[&str]) -> Command {
        let mut command = world.command(args);
        let mut path = OsString::from(self.path);
        // The cell shows the folders of PATH, and a virtual environment is more than its folder of programs.
        if let (Some(folder), true) = (pytest(), self.gate.contains("none")) {
            path.push(folder);
            path.push(":");
        }
        path.push(tools());
        command.env("PATH", path).envs(self.env.iter().copied());
        if !without.is_empty() {
            command.env("LIAR_WITHOUT", without.join(","));
        }
        command
    }
}

/// The line that `tests/liars/without` makes its table of.
pub(crate) fn tell(row: &Row, archived: bool) {
    let word = if archived { "archived" } else { "REFUSED" };
    println!("liar: {word}: {}: {}", row.name, row.without.join(", "));
}

/// What went wrong with a row that should have been refused; none where it was.
fn through(world: &World, status: &Value, row: &Row) -> Option<String> {
    let task = of(status, row.name);
    if task["state"] == "completed" {
        let story = story(world, row.name);
        return Some(format!("{} IS ARCHIVED ({}):\n{story}", row.name, row.why));
    }
    if outcomes(task).contains(row.seen) {
        return None;
    }
    let story = story(world, row.name);
    let told = story.contains(row.seen);
    (!told).then(|| format!("{}: nothing tells of {:?}:\n{story}", row.name, row.seen))
}

/// A task in the status document.
fn of<'s>(status: &'s Value, name: &str) -> &'s Value {
    let found = status["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["id"] == name);
    found.unwrap_or(&Value::Null)
}

/// The state of a task, and how its attempts ended.
fn outcomes(task: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut told = format!("{}: {}\n", text(&task["state"]), text(&task["blocked_reason"]));
    for attempt in task["attempts"].as_array().into_iter().flatten() {
        told.push_str(&format!(
            "attempt: {}: {}\n",
            text(&attempt["outcome"]),
            text(&attempt["reason"])
        ));
    }
    told
}

/// Whether a task counts as done, in the state or in the queue.
pub(crate) fn is_archived(world: &World, name: &str) -> bool {
    world.task(name)["state"] == "completed"
}

/// What is told of a task: outcomes with their reasons, what is not green.
pub(crate) fn story(world: &World, name: &str) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut story = outcomes(&world.task(name));
    let shown = world.run(&["show", name, "--json"]).out;
    let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
    let gate = [&shown["task"]["gate"], &shown["gate"]];
    for check in gate.iter().flat_map(|gate| list(&gate["checks"])) {
        if check["verdict"] != "passed" {
            story.push_str(&format!("check: {check:#}\n"));
        }
    }
    let section = section_of(&world.queue(), name).unwrap_or_default().to_owned();
    format!("{story}{section}")
}

fn repository(world: &World, row: &Row) {
    let at = world.path(row.name);
    for (file, text) in row.project {
        let path = at.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::create_dir_all(&at).unwrap();
    let git = "git -c user.name=mary -c user.email=mary@example.org";
    let script = format!(
        "set -eu\ngit init --quiet --initial-branch=main\n{}\ngit add --all\n{git} commit --quiet --allow-empty --message start",
        row.before
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(&at);
    command.env("PATH", tools()).env("HOME", world.path("home"));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}: {ran:?}", row.name);
}

/// Its section in the queue.
pub(crate) fn section(row: &Row) -> String {
    let Row { name, lines, .. } = row;
    let validation = if row.check.is_empty() {
        String::new()
    } else {
        format!("\n#### Validation\nIt works:\n```sh\n{}\n```\n", row.check)
    };
    let workspace = if lines.contains("Workspace:") {
        String::new()
    } else {
        format!("- **Workspace:** ../{name}\n")
    };
    format!(
        "### {name}: Do {name}\n- **Description:** Do it.\n{workspace}{lines}- **Status:** pending\n{validation}"
    )
}

/// The folders of tools: the compiler's own (its front door asks for a home that is not here), the system's, the caller's.
pub(crate) fn tools() -> OsString {
    static SYSROOT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let out = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
        Some(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()).join("bin"))
    });
    let path = std::env::var_os("PATH").unwrap();
    let first = SYSROOT.iter().cloned().chain(["/usr/bin".into()]);
    std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap()
}

/// The folder of a Python that has pytest, as `./test` makes it.
pub(crate) fn pytest() -> Option<PathBuf> {
    let given = std::env::var_os("ORCHESTRATOR_TEST_PYTHON").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let made = given.or_else(|| Some(cache?.join("orchestrator/python")))?;
    let folder = made.join("bin");
    folder.join("pytest").is_file().then_some(folder)
}

/// Whether a program is on this machine; says so where it is not.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::split_paths(&tools()).any(|folder| folder.join(program).is_file());
    if !found {
        assert!(
            std::env::var_os("CI").is_none_or(|v| v != "true"),
            "{program} is not on this machine"
        );
        println!("skipped: {program} is not on this machine");
    }
    found
}
