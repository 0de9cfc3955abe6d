//! PROACTIVE-JOBS.md as people really keep it: read, and complained about.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::queue_support::*;
use std::collections::HashSet;

use orchestrator::domain::definition::{Declared, Kind, Priority};
use orchestrator::domain::gate::Category;
use orchestrator::domain::tier::TierName;
use orchestrator::format::agent::Agents;
use orchestrator::format::diagnostic::Code;
use orchestrator::format::job::Jobs;
use orchestrator::format::queue::{Document, Known, Place, StatusField, apply, read};

fn codes(text: &str) -> Vec<&'static str> {
    reading(text).problems.iter().map(|p| p.code.as_str()).collect()
}

#[test]
fn a_messy_file_holds_exactly_its_tasks() {
    let reading = reading(MESSY);
    let rows: Vec<(&str, &str, Option<Declared>, Place, bool)> = reading
        .tasks
        .iter()
        .map(|t| {
            (
                t.id.as_str(),
                t.definition.title.as_str(),
                t.declared,
                t.place,
                t.runnable,
            )
        })
        .collect();
    use Declared::*;
    use Place::*;
    assert_eq!(
        rows,
        [
            ("p0-1-a", "Initialize the monorepo", Some(Completed), Active, true),
            ("p1-2-c", "Update the docs", Some(InProgress), Active, true),
            ("p0-fix-build", "Fix the build", Some(Cancelled), Active, true),
            ("p2-report", "Write the report", Some(Pending), Active, true),
            ("p3-urgent", "", Some(Pending), Active, true),
            ("p4-broken", "No such status", None, Active, false),
            ("old-one", "An old one", Some(Completed), Archived, false),
        ]
    );
    assert!(
        reading.tasks[..6]
            .iter()
            .all(|t| t.under.as_deref() == Some("Active Tasks"))
    );
    assert_eq!(task(&reading, "old-one").under.as_deref(), Some("Archived Tasks"));
    let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "PROACTIVE-JOBS.md:27:1: warning[missing-description]: the task 'p0-1-a' has no description",
            "PROACTIVE-JOBS.md:59:1: warning[missing-description]: the task 'p0-fix-build' has no description",
            "PROACTIVE-JOBS.md:76:1: warning[heading-without-id]: the heading 'Ideas for later' has a task's fields but no id, so nothing runs it",
            "PROACTIVE-JOBS.md:81:15: error[unreadable-status]: the status 'in limbo' cannot be read",
        ]
    );
}

#[test]
fn a_messy_task_says_what_is_meant() {
    let reading = reading(MESSY);
    let docs = &task(&reading, "p1-2-c").definition;
    assert_eq!(docs.min_tier, Some(TierName::new("haiku")));
    assert_eq!(
        docs.description,
        "Update the docs\nand the examples:\n\n- README\n- `docs/`"
    );
    assert_eq!(docs.extra.get("owner").map(String::as_str), Some("Maria"));
    let acceptance: Vec<(&str, bool)> = docs
        .acceptance
        .iter()
        .map(|c| (c.text.as_str(), c.checked))
        .collect();
    assert_eq!(
        acceptance,
        [("README names the new flag", true), ("examples build", false)]
    );
    let checks: Vec<(&str, Category, &str)> = docs
        .checks
        .iter()
        .map(|c| (c.name.as_str(), c.category, c.run.as_str()))
        .collect();
    assert_eq!(
        checks,
        [
            (
                "Build the docs",
                Category::Build,
                "cd docs\nmake html   # not a heading\n"
            ),
            (
                "Functionality — links",
                Category::Functionality,
                "./check-links\n"
            ),
        ]
    );
    assert_eq!(docs.review, ["a person reads the page"]);
    // The section of a heading of level 2 goes on behind the tasks of level 3 that stand in it.
    assert!(docs.context.starts_with("### Ideas for later"));
    let report = &task(&reading, "p2-report").definition;
    assert_eq!(report.depends_on, [id("p1-2-c"), id("p0-1-a")]);
    assert_eq!(report.description, "Write the report.\nThen send it.");
    assert_eq!(
        (report.priority, report.min_tier.clone()),
        (Priority::High, Some(TierName::new("sonnet")))
    );
    assert_eq!(task(&reading, "p0-1-a").definition.priority, Priority::Critical);
}

#[test]
fn every_field_of_the_contract_reads() {
    let reading = reading(
        "### a\n- **Type:** continuous\n- Job: fix\n- MODEL: Haiku\n- max-model: opus\n- **Priority:** P3\n- **Project:** web\n\
         - **Repo:** `../a (b)`\n- **Blocked By:** b; c and d (later)\n- **Parent:** p\n- **Agent:** ann\n- **Runtime:** demo\n\
         - **Budget:** $2.50\n- **Timeout:** 1h30m\n- **Instructions:** More.\n- **Description:** Text.\n- **Last Run:** x\n\n\
         Prose with <!-- a note --> context.\n\n#### Notes\nmore\n\n### b: B\n- **Status:** pending\n",
    );
    let a = &task(&reading, "a").definition;
    assert_eq!(a.kind, Kind::Continuous);
    assert_eq!(a.job.as_deref(), Some("fix"));
    assert_eq!(
        (a.min_tier.clone(), a.max_tier.clone()),
        (Some(TierName::new("haiku")), Some(TierName::new("opus")))
    );
    assert_eq!((a.priority, a.project.as_str()), (Priority::Low, "web"));
    assert_eq!(a.workspace.as_deref(), Some("../a (b)"));
    assert_eq!(a.depends_on, [id("b"), id("c"), id("d")]);
    assert_eq!(
        (a.parent.clone(), a.agent.as_deref(), a.runtime.as_deref()),
        (Some(id("p")), Some("ann"), Some("demo"))
    );
    assert_eq!(
        (a.budget_usd, a.timeout.map(|t| t.as_secs())),
        (Some(2.5), Some(5400))
    );
    assert_eq!(a.description, "More.\n\nText.");
    assert_eq!(a.context, "Prose with  context.\n\n#### Notes\n\nmore");
    assert_eq!(task(&reading, "b").definition.project, "default");
}

#[test]
fn what_is_no_task_is_prose() {
    for prose in [
        "### Overview of it\n- **Status:** fine\n",
        "# a: b\n- **Status:** pending\n",
        "##### a: b\n- **Status:** pending\n",
        "### a: b\n\ntext\n\n### Other\n\n- **Owner:** me\n",
        "### a: b\n- **Owner:** me\n",
        "### a: b\n#### c d\n- **Status:** pending\n",
        "    ### a: b\n- **Status:** pending\n",
        "### a: b\n```\n- **Status:** pending\n```\n",
        "### a: b\n- item\n  - **Status:** pending\n",
        "### a: b\n1. **Status:** pending\n",
        "> ### a: b\n> - **Status:** pending\n",
    ] {
        assert_eq!(reading(prose).tasks.len(), 0, "{prose}");
    }
}

#[test]
fn a_task_inside_another_is_its_own() {
    let file = "## big: Big\n- **Status:** pending\n- **Description:** d\n\nown\n\n### small: Small\n- **Status:** done\n\nsmall text\n\n### Notes on it\nown too\n\n## Other\n";
    let reading = reading(file);
    assert_eq!(
        task(&reading, "big").definition.context,
        "own\n\n### Notes on it\n\nown too"
    );
    assert_eq!(task(&reading, "small").definition.description, "small text");
    let moved = apply(file.as_bytes(), &[archive("big")]);
    let after = Document::parse(moved.bytes);
    let places: Vec<(&str, Place)> = after
        .sections()
        .iter()
        .map(|s| (s.id.as_str(), s.place))
        .collect();
    assert_eq!(places, [("small", Place::Active), ("big", Place::Archived)]);
}

/// Files with one kind of mistake each, and the codes of it.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "### a\n- Status: pending\n- Description: x\n### a\n- Status: pending\n- Description: x\n",
        &["duplicate-id", "duplicate-id"],
    ),
    (
        "### a\n- Status: what\n- Description: x\n",
        &["unreadable-status"],
    ),
    (
        "### a\n- Description: x\n- Depends On: a\n",
        &["dependency-cycle"],
    ),
    (
        "### a\n- Description: x\n- Depends On: zz\n",
        &["unknown-dependency"],
    ),
    ("### a\n- Description: x\n- Depends On: b c\n", &["bad-id"]),
    ("### a\n- Description: x\n- Parent: zz\n", &["unknown-parent"]),
    (
        "### a\n- Description: x\n- Priority: hot\n",
        &["unknown-priority"],
    ),
    ("### a\n- Description: x\n- Type: sometimes\n", &["unknown-type"]),
    ("### a\n- Description: x\n- Budget: lots\n", &["bad-budget"]),
    ("### a\n- Description: x\n- Timeout: 5\n", &["bad-timeout"]),
    ("### ../a: b\n- Description: x\n", &["bad-id"]),
    ("### a.lock: b\n- Description: x\n", &["bad-id"]),
    ("### a\n- Status: pending\n", &["missing-description"]),
    (
        "### a\n- Description: x\n- Status: pending\n- status: done\n",
        &["duplicate-field"],
    ),
    (
        "### My task\n- Description: x\n- Status: pending\n",
        &["heading-without-id"],
    ),
    ("### a ✅\n- Description: x\n", &["mark-contradicts-status"]),
    (
        "### a\n- Description: x\n#### Validation\n```python\nx\n```\n",
        &["fence-not-run"],
    ),
    (
        "### a\n- Description: x\n- Scope: not much\n",
        &["scope-is-prose"],
    ),
    ("### a\n- Description: x\n- Scope: src, /etc\n", &["bad-scope"]),
    ("### a\n- Description: x\n```\n", &["unclosed-fence"]),
    ("### a\n- Description: x\n<!-- b\n", &["unclosed-comment"]),
    ("### a\n- Description: x\n<<<<<<< HEAD\n", &["merge-conflict"]),
];

#[test]
fn attachments_are_paths_by_comma_line_or_link() {
    let file = "### a\n- Description: x\n- Images: `shots/a b.png`, /abs/c.jpg (the new one)\n- **Files:**\n  - [notes](docs/n.md)\n  - docs/n.md\n";
    let read = reading(file);
    let found = &task(&read, "a").definition.attachments;
    assert_eq!(*found, ["shots/a b.png", "/abs/c.jpg", "docs/n.md"]);
    let without = reading("### a\n- Description: x\n");
    assert_ne!(task(&read, "a").hash, task(&without, "a").hash);
}

#[test]
fn a_scope_is_paths_or_words() {
    let of = |scope: &str| reading(&format!("### a\n- Description: x\n{scope}"));
    let paths = of("- **Scope:** src/, `docs/a b/**`\n");
    assert_eq!(task(&paths, "a").definition.scope, ["src/", "docs/a b/**"]);
    assert!(paths.problems.is_empty() && task(&paths, "a").definition.extra.is_empty());
    let words = of("- Scope: only the login page, nothing else\n");
    assert!(task(&words, "a").definition.scope.is_empty());
    assert_eq!(
        task(&words, "a").definition.extra["scope"],
        "only the login page, nothing else"
    );
    assert!(words.tasks[0].runnable);
    let without = of("");
    assert_ne!(task(&paths, "a").hash, task(&without, "a").hash);
    let kept = serde_json::to_string(&task(&without, "a").definition).unwrap();
    assert!(
        !kept.contains("scope"),
        "hashes of tasks without a scope stay: {kept}"
    );
    assert!(!of("- Scope: src, ../other\n").tasks[0].runnable);
}

#[test]
fn mistakes_have_their_place_and_code() {
    for (file, want) in MISTAKES {
        assert_eq!(codes(file), *want, "{file}");
    }
    let latin = read(
        "x.md",
        b"### a\n- Description: f\xfcr\n".to_vec(),
        &Known::default(),
    );
    assert_eq!(
        (
            latin.problems[0].code,
            latin.problems[0].line,
            latin.problems[0].column
        ),
        (Code::InvalidUtf8, 2, 17)
    );
    assert!(latin.tasks[0].runnable);
    let place = &reading("### ä: b\n### a\n- **Status:** üü wat\n- Description: x\n").problems[0];
    assert_eq!(
        (place.line, place.column, place.span.end - place.span.start),
        (3, 15, 8)
    );
}

#[test]
fn names_are_checked_against_what_there_is() {
    let mut agents = Agents::default();
    assert_eq!(agents.add("ann", "agents/ann.md", b"You are Ann."), []);
    let known = Known {
        missing: Default::default(),
        tiers: Some(["haiku", "sonnet"].map(TierName::new).to_vec()),
        jobs: Some(Jobs::default()),
        agents: Some(agents),
        runtimes: Some(["claude".to_owned()].into()),
        ids: HashSet::from([id("gone")]),
    };
    let file = "### a\n- Description: x\n- Min Model: sonet\n- Job: nope\n- Agent: anna\n- Runtime: x\n- Depends On: gone\n\
                ### b\n- Description: x\n- Min Model: Sonnet\n- Max Model: haiku\n";
    let reading = read("f.md", file.as_bytes().to_vec(), &known);
    let codes: Vec<&str> = reading.problems.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "unknown-tier",
            "unknown-job",
            "unknown-agent",
            "unknown-runtime",
            "tier-range"
        ]
    );
    assert_eq!(
        reading.problems[2].help,
        "did you mean 'ann'? the names are in agents/"
    );
    assert!(reading.tasks.iter().all(|t| !t.runnable));
}

#[test]
fn a_circle_is_named_and_holds_up_its_members_alone() {
    let one = |name: &str, needs: &str| format!("### {name}\n- Description: x\n- Depends On: {needs}\n");
    let file = [
        one("a", "b"),
        one("b", "c"),
        one("c", "a"),
        one("d", "a"),
        one("e", "none"),
    ]
    .concat();
    let reading = reading(&file);
    assert_eq!(reading.problems.len(), 1);
    assert_eq!(
        reading.problems[0].message,
        "these tasks wait for each other in a circle: a -> b -> c -> a"
    );
    let runnable: Vec<&str> = reading
        .tasks
        .iter()
        .filter(|t| t.runnable)
        .map(|t| t.id.as_str())
        .collect();
    assert_eq!(runnable, ["d", "e"]);
}

#[test]
fn blocked_by_somebody_waits_for_a_person() {
    let declared = |value: &str| {
        let file = format!("### p1\n- Description: x\n### a\n- Description: x\n- Status: {value}\n");
        let a = task(&reading(&file), "a").clone();
        (a.declared.unwrap(), a.definition.depends_on.len())
    };
    assert_eq!(declared("blocked by p1"), (Declared::Pending, 1));
    assert_eq!(declared("blocked by legal"), (Declared::Blocked, 0));
    assert_eq!(declared("blocked by p1, legal"), (Declared::Blocked, 0));
}

#[test]
fn what_is_hidden_was_not_deleted() {
    for file in [
        "```\n### a\n- Status: x\n",
        "<!--\n### a\n",
        "<<<<<<< a\n",
        "### a\n- Status: x\n```\n",
    ] {
        assert!(!reading(file).whole, "{file}");
    }
    assert!(reading(MESSY).whole);
    let huge = read("f", vec![b'\n'; 2_000_000], &Known::default());
    assert_eq!(
        (huge.whole, huge.problems[0].code, huge.problems.len()),
        (false, Code::FileTooLarge, 1)
    );
}

#[test]
fn the_hash_is_of_what_is_asked() {
    let hash = |text: &str| task(&reading(text), "p1-2-c").hash.clone();
    let before = hash(MESSY);
    let done = apply(
        MESSY.as_bytes(),
        &[fields(
            "p1-2-c",
            &[(StatusField::Status, "completed"), (StatusField::ModelUsed, "m")],
        )],
    );
    assert_eq!(hash(&written(&done)), before);
    assert_eq!(hash(&MESSY.replace("- [ ] examples", "- [x] examples")), before);
    assert_ne!(
        hash(&MESSY.replace("Update the docs\n  and", "Update the docs\n  or")),
        before
    );
    assert_ne!(hash(&MESSY.replace("make html", "make htm")), before);
}

#[test]
fn the_shipped_queue_and_jobs_are_without_fault() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut jobs = Jobs::default();
    for entry in std::fs::read_dir(root.join("jobs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            jobs.add(&name, &format!("jobs/{name}.md"), &std::fs::read(&path).unwrap()),
            []
        );
    }
    let names: Vec<&str> = jobs.ready.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["fix-bug", "implement-feature", "research-report", "write-tests"]
    );
    let tiers = Some(["haiku", "sonnet", "opus"].map(TierName::new).to_vec());
    let known = Known {
        jobs: Some(jobs),
        tiers,
        ..Known::default()
    };
    let reading = read(
        "PROACTIVE-JOBS.md",
        std::fs::read(root.join("PROACTIVE-JOBS.md")).unwrap(),
        &known,
    );
    assert_eq!(reading.problems, []);
    assert!(reading.tasks.len() == 2 && reading.tasks.iter().all(|t| t.declared == Some(Declared::Paused)));
    let prompt = task(&reading, "example-report")
        .definition
        .prompt
        .clone()
        .unwrap();
    assert!(
        prompt.contains("at most 2 pages, in `reports/example-report.md`"),
        "{prompt}"
    );
}

#[test]
fn every_code_has_its_cure_in_the_reference() {
    let reference = include_str!("../../docs/QUEUE-FILE.md");
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|c| c.as_str())
        .filter(|c| !reference.contains(&format!("| `{c}` |")))
        .collect();
    assert_eq!(missing, <[&str; 0]>::default());
}

#[test]
fn a_parent_waits_for_its_sub_tasks_so_they_cannot_wait_for_it() {
    let task = |id: &str, lines: &str| format!("### {id}\n- Description: x\n{lines}\n");
    let held = |text: String| {
        let reading = read("f.md", text.into_bytes(), &Known::default());
        let codes: Vec<&str> = reading.problems.iter().map(|p| p.code.as_str()).collect();
        assert!(codes.iter().all(|c| *c == "dependency-cycle"), "{codes:?}");
        let held = reading.tasks.iter().filter(|t| !t.runnable);
        held.map(|t| t.id.to_string()).collect::<Vec<_>>()
    };
    let parent = task("p", "- Status: pending\n");
    let fine =
        parent.clone() + &*task("p.a", "- Parent: p\n") + &*task("p.b", "- Parent: p\n- Depends On: p.a\n");
    assert!(held(fine).is_empty());
    assert_eq!(
        held(parent.clone() + &*task("p.a", "- Parent: p\n- Depends On: p\n")),
        ["p", "p.a"]
    );
    assert_eq!(
        held(task("a", "- Parent: b\n") + &*task("b", "- Parent: a\n")),
        ["a", "b"]
    );
    assert_eq!(held(task("a", "- Parent: a\n")), ["a"]);
}
