//! PROACTIVE-JOBS.md as people really keep it: read, complained about, and edited without losing a byte.

use std::collections::HashSet;
use std::time::Instant;

use orchestrator::domain::definition::{Declared, Kind, Priority};
use orchestrator::domain::gate::Category;
use orchestrator::domain::id::TaskId;
use orchestrator::domain::tier::TierName;
use orchestrator::format::diagnostic::Code;
use orchestrator::format::job::Jobs;
use orchestrator::format::queue::{
    Applied, Document, Edit, Known, NewTask, Place, QueuedTask, Reading, Section, StatusField, Why, apply,
    read,
};
use proptest::prelude::*;

const MESSY: &str = include_str!("fixtures/queue/messy.md");

fn id(text: &str) -> TaskId {
    TaskId::parse(text).unwrap()
}

fn reading(text: &str) -> Reading {
    read("PROACTIVE-JOBS.md", text.as_bytes().to_vec(), &Known::default())
}

fn task<'r>(reading: &'r Reading, name: &str) -> &'r QueuedTask {
    reading.tasks.iter().find(|t| t.id.as_str() == name).unwrap()
}

fn codes(text: &str) -> Vec<&'static str> {
    reading(text).problems.iter().map(|p| p.code.as_str()).collect()
}

fn status(name: &str, value: &str) -> Edit {
    fields(name, &[(StatusField::Status, value)])
}

fn fields(name: &str, values: &[(StatusField, &str)]) -> Edit {
    let fields = values
        .iter()
        .map(|(field, value)| (*field, (*value).to_owned()))
        .collect();
    Edit::SetFields { id: id(name), fields }
}

fn archive(name: &str) -> Edit {
    Edit::Archive { id: id(name) }
}

fn text(applied: &Applied) -> String {
    String::from_utf8(applied.bytes.clone()).unwrap()
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

#[test]
fn mistakes_have_their_place_and_code() {
    let table: &[(&str, &[&str])] = &[
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
        ("### a\n- Description: x\n```\n", &["unclosed-fence"]),
        ("### a\n- Description: x\n<!-- b\n", &["unclosed-comment"]),
        ("### a\n- Description: x\n<<<<<<< HEAD\n", &["merge-conflict"]),
    ];
    for (file, want) in table {
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
    let known = Known {
        tiers: Some(["haiku", "sonnet"].map(TierName::new).to_vec()),
        jobs: Some(Jobs::default()),
        agents: Some(["ann".to_owned()].into()),
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
    assert_eq!(hash(&text(&done)), before);
    assert_eq!(hash(&MESSY.replace("- [ ] examples", "- [x] examples")), before);
    assert_ne!(
        hash(&MESSY.replace("Update the docs\n  and", "Update the docs\n  or")),
        before
    );
    assert_ne!(hash(&MESSY.replace("make html", "make htm")), before);
}

#[test]
fn a_status_write_changes_that_value_alone() {
    let table = [
        (
            "p1-2-c",
            "* **Status**: 🔄 **in-progress**",
            "* **Status**: completed",
        ),
        (
            "p0-1-a",
            "- **Status:** ✅ completed (fixed via upstream)",
            "- **Status:** completed",
        ),
        (
            "p2-report",
            "- **STATUS:** blocked by p1-2-c, `p0-1-a` ✅",
            "- **STATUS:** completed",
        ),
    ];
    for (name, old, new) in table {
        let applied = apply(MESSY.as_bytes(), &[status(name, "completed")]);
        assert_eq!(text(&applied), MESSY.replacen(old, new, 1), "{name}");
    }
    let tricky = [
        ("### a\n- **Status: pending**\n", "### a\n- **Status: done**\n"),
        (
            "### a\r\n- **Status:**\r\n- x",
            "### a\r\n- **Status:** done\r\n- x",
        ),
        (
            "### a\n- **Status:** pending <!-- keep -->\n",
            "### a\n- **Status:** done <!-- keep -->\n",
        ),
        (
            "### a\n- **Status:** <!-- keep -->\n",
            "### a\n- **Status:** done <!-- keep -->\n",
        ),
        ("### a\n- Status:   pending  \n", "### a\n- Status:   done  \n"),
        (
            "### a\n- **Status:**\n  pending\n",
            "### a\n- **Status:**\n  done\n",
        ),
        ("### a\r- **Status:** x\r", "### a\r- **Status:** done\r"),
        ("### a\n- **Job:** x", "### a\n- **Job:** x\n- **Status:** done"),
        (
            "### a\r\n* __Job__: x <!-- a\r\n b -->\r\n\r\n",
            "### a\r\n* __Job__: x <!-- a\r\n b -->\r\n* __Status__: done\r\n\r\n",
        ),
        (
            "### a\n- Job: x\n\n  more\n\ntext\n",
            "### a\n- Job: x\n\n  more\n- Status: done\n\ntext\n",
        ),
        (
            "### a\n- Job: x\n  ```\n  y\n",
            "### a\n- Status: done\n- Job: x\n  ```\n  y\n",
        ),
    ];
    for (old, new) in tricky {
        let new = if old.contains("```") {
            "### a\n- **Status:** done\n- Job: x\n  ```\n  y\n"
        } else {
            new
        };
        assert_eq!(
            text(&apply(old.as_bytes(), &[status("a", "done")])),
            new,
            "{old:?}"
        );
    }
}

#[test]
fn edits_that_cannot_be_made_safely_are_not_made() {
    let twice = "### a\n- Job: x\n### a\n- Job: x\n";
    let missed = |file: &str, edit: Edit| {
        let applied = apply(file.as_bytes(), &[edit]);
        assert!(!applied.changed && applied.bytes == file.as_bytes());
        applied.missed[0].why
    };
    assert_eq!(missed(twice, status("a", "x")), Why::Ambiguous);
    assert_eq!(missed(twice, archive("zz")), Why::NotFound);
    assert_eq!(missed("### a\n- Job: x\n```\n", archive("a")), Why::NotWhole);
    let new = |body: &str| {
        Edit::Add(NewTask {
            id: id("a"),
            title: String::new(),
            fields: vec![("Job".into(), "x".into())],
            body: body.into(),
        })
    };
    assert_eq!(missed(twice, new("")), Why::Exists);
    assert_eq!(missed("### b\n- Job: x\n", new("```\n")), Why::Breaks);
    assert_eq!(missed("### b\n- Job: x\n", new("### c\n- Job: x")), Why::Breaks);
}

#[test]
fn finished_sections_move_to_the_head_of_the_archive() {
    let file = "# P\n\n## Active Tasks\n\n### a: A\n- **Status:** x\n\ntext\n\n### b: B\n- **Status:** y\n\n## Archived Tasks\n\n### c: C\n- **Status:** z\n";
    let applied = apply(
        file.as_bytes(),
        &[status("a", "completed"), archive("a"), archive("b")],
    );
    assert_eq!(
        text(&applied),
        "# P\n\n## Active Tasks\n\n## Archived Tasks\n\n### b: B\n- **Status:** y\n\n### a: A\n- **Status:** completed\n\ntext\n\n### c: C\n- **Status:** z\n"
    );
    let bare = "### a: A\r\n- **Status:** x";
    assert_eq!(
        text(&apply(bare.as_bytes(), &[archive("a")])),
        "## Archived Tasks\r\n\r\n### a: A\r\n- **Status:** x\r\n"
    );
    let no_archive = "### a\n- Job: x\n### b\n- Job: y\n";
    assert_eq!(
        text(&apply(no_archive.as_bytes(), &[archive("a")])),
        "### b\n- Job: y\n\n## Archived Tasks\n\n### a\n- Job: x\n"
    );
    let empty = "### a\n- Job: x\n\n## Archived Tasks\n\nIntro.\n";
    assert_eq!(
        text(&apply(empty.as_bytes(), &[archive("a")])),
        "## Archived Tasks\n\nIntro.\n\n### a\n- Job: x\n\n"
    );
}

#[test]
fn the_newest_twenty_stay() {
    let mut file = "## Active Tasks\n\n### new\n- **Status:** completed\n- **Completed:** 2026-03-01\n\n## Archived Tasks\n\n".to_owned();
    for n in 1..=21 {
        file.push_str(&format!(
            "### t{n}\n- **Status:** completed\n- **Completed:** 2026-01-{n:02}T00:00:00Z\n\n"
        ));
    }
    file.push_str("### undated\n- **Status:** completed\n");
    let applied = apply(file.as_bytes(), &[archive("new")]);
    let gone: Vec<(&str, Option<&str>)> = applied
        .overflow
        .iter()
        .map(|o| (o.id.as_str(), o.month.as_deref()))
        .collect();
    assert_eq!(
        gone,
        [
            ("undated", None),
            ("t1", Some("2026-01")),
            ("t2", Some("2026-01"))
        ]
    );
    assert_eq!(
        applied.overflow[1].bytes,
        b"### t1\n- **Status:** completed\n- **Completed:** 2026-01-01T00:00:00Z\n\n"
    );
    let left = Document::parse(applied.bytes);
    assert_eq!(left.sections().len(), 20);
    assert_eq!(left.sections()[0].id.as_str(), "new");
}

#[test]
fn a_new_task_comes_last_among_the_active() {
    let new = Edit::Add(NewTask {
        id: id("new"),
        title: "A new\none".into(),
        fields: vec![
            ("Description".into(), "First.\nSecond.".into()),
            ("Status".into(), "pending".into()),
        ],
        body: "#### Validation\n```sh\ntrue\n```".into(),
    });
    let section = "### new: A new one\n- **Description:** First.\n  Second.\n- **Status:** pending\n\n#### Validation\n```sh\ntrue\n```\n";
    let table = [
        ("", format!("# Proactive Jobs\n\n## Active Tasks\n\n{section}")),
        (
            "## Active Tasks\n\n### a\n- Job: x\n## Archived Tasks\n",
            format!("## Active Tasks\n\n### a\n- Job: x\n\n{section}\n## Archived Tasks\n"),
        ),
        (
            "# P\n\n## Archived Tasks\n",
            format!("# P\n\n## Active Tasks\n\n{section}\n## Archived Tasks\n"),
        ),
        ("text", format!("text\n\n## Active Tasks\n\n{section}")),
    ];
    for (file, want) in table {
        let applied = apply(file.as_bytes(), std::slice::from_ref(&new));
        assert_eq!(text(&applied), want, "{file:?}");
        assert_eq!(
            task(&reading(&want), "new").definition.description,
            "First.\nSecond."
        );
    }
}

/// A file of the size and mess that people really have.
fn big_file(tasks: usize) -> String {
    let statuses = [
        "✅ completed (fixed via upstream)",
        "🔄 **in-progress**",
        "🔴 pending (URGENT)",
        "queued",
        "`done`",
    ];
    let mut file =
        String::from("\u{feff}# Proactive Jobs\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Active Tasks\n\n");
    for n in 0..tasks {
        if n == tasks / 2 {
            file.push_str("## Archived Tasks\n\n");
        }
        if n % 10 == 0 {
            file.push_str("### Dashboard of this phase\n\n| id | state |\n|----|-------|\n| x  | `y`   |\n\n```mermaid\ngraph LR\n  A --> B\n```\n\n");
        }
        let mark = if n % 7 == 0 { " ✅" } else { "" };
        file.push_str(&format!(
            "### p{}-{n}-x: Task number {n} of the plan{mark}\n",
            n % 4
        ));
        file.push_str(&format!(
            "- **Type:** one-off\n- **Min Model:** haiku <!-- cheap -->\n- **Priority:** P{}\n",
            n % 4
        ));
        if n > 0 && n != tasks / 2 {
            file.push_str(&format!("- **Depends On:** p{}-{}-x\n", (n - 1) % 4, n - 1));
        }
        file.push_str(&format!("- **Status:** {}\n- **Description:** Do the work of step {n},\n  carefully, and write down\n  - what was done\n  - what is left\n\n", statuses[n % 5]));
        file.push_str("#### Acceptance Criteria\n- [ ] it works\n- [x] it is written down\n\n#### Validation\nTests:\n```bash\ncargo test # all\n```\n\n");
    }
    file
}

#[test]
fn a_file_of_the_real_size_reads_quickly_and_large_ones_in_linear_time() {
    let file = big_file(150);
    assert!((60_000..120_000).contains(&file.len()), "{}", file.len());
    let reading = reading(&file);
    assert_eq!(reading.tasks.len(), 150);
    assert_eq!(
        reading.problems.iter().filter(|p| p.is_error()).count(),
        0,
        "{:?}",
        reading.problems
    );
    let large = big_file(10_000);
    let started = Instant::now();
    let edits: Vec<Edit> = Document::parse(large.clone().into_bytes())
        .sections()
        .iter()
        .map(|s| status(s.id.as_str(), "pending"))
        .collect();
    let applied = apply(large.as_bytes(), &edits);
    assert!(applied.missed.is_empty() && edits.len() == 10_000);
    assert_eq!(read("f", applied.bytes, &Known::default()).tasks.len(), 10_000);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

fn ids(document: &Document) -> Vec<String> {
    document.sections().iter().map(|s| s.id.to_string()).collect()
}

fn line() -> impl Strategy<Value = String> {
    let fixed = [
        "",
        "",
        "## Active Tasks",
        "## Archived Tasks",
        "### Notes on it",
        "#### Validation",
        "#### Acceptance Criteria",
        "```",
        "```sh",
        "~~~",
        "  ```",
        "<!--",
        "-->",
        "text <!-- c --> more",
        "text <!-- open",
        "- item",
        "  - nested",
        "- [ ] box",
        "  continued",
        "> quote",
        "| a | b |",
        "- **Status:** pending",
        "- **Status:**",
        "- **Status: pending**",
        "* Status: ✅ done (x)",
        "- **Status:** a <!-- c -->",
        "  - **Status:** y",
        "- **Description:** Do it",
        "- **Depends On:** a, b",
        "- **Completed:** 2026-01-02",
        "<<<<<<< HEAD",
        "\u{feff}",
        "\t- tab",
        "### ../x: y",
        "- `Type`: one-off",
    ];
    prop_oneof![
        6 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        3 => (2..5_usize, "[a-e]{1,2}", "[ -~]{0,12}").prop_map(|(level, id, title)| format!("{} {id}: {title}\n- **Status:** pending", "#".repeat(level))),
        1 => "\\PC{0,20}",
    ]
}

/// Text that looks like a queue file, with any line ends.
fn queue_like() -> impl Strategy<Value = String> {
    let ends = proptest::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r"]);
    (proptest::collection::vec(line(), 0..40), ends, any::<bool>()).prop_map(|(lines, end, last)| {
        let text = lines.join("\n").replace('\n', end);
        if last { text + end } else { text }
    })
}

/// The only section with its id, of some file.
fn unique_sections(document: &Document) -> Vec<&Section> {
    let all = ids(document);
    let is_unique = |s: &&Section| all.iter().filter(|id| **id == s.id.as_str()).count() == 1;
    document.sections().iter().filter(is_unique).collect()
}

fn value(document: &Document, name: &str) -> Option<String> {
    let section = document.sections().iter().find(|s| s.id.as_str() == name)?;
    let field = section.fields.iter().find(|f| f.name == "status")?;
    Some(field.text(document.bytes()).into_owned())
}

/// How often each byte stands in a text.
fn counts(bytes: &[u8]) -> [usize; 256] {
    let mut counts = [0; 256];
    bytes.iter().for_each(|b| counts[usize::from(*b)] += 1);
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parse_then_print_is_the_identity(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let document = Document::parse(bytes.clone());
        prop_assert_eq!(document.bytes(), &bytes[..]);
        prop_assert_eq!(apply(&bytes, &[]).bytes, bytes);
    }

    #[test]
    fn nothing_panics_and_spans_are_true(text in queue_like()) {
        let document = Document::parse(text.clone().into_bytes());
        prop_assert_eq!(document.bytes(), text.as_bytes());
        let reading = reading(&text);
        for problem in &reading.problems {
            prop_assert!(problem.line >= 1 && problem.column >= 1 && problem.span.start <= problem.span.end && problem.span.end <= text.len());
        }
        let mut owned: Vec<_> = document.sections().iter().flat_map(|s| s.own.clone()).collect();
        owned.sort_by_key(|r| r.start);
        prop_assert!(owned.windows(2).all(|w| w[0].end <= w[1].start), "sections overlap: {owned:?}");
    }

    #[test]
    fn a_status_write_touches_nothing_else(text in queue_like(), word in "[a-z]{1,8}( [a-z(]{1,5})?", pick in any::<prop::sample::Index>()) {
        let before = Document::parse(text.clone().into_bytes());
        let sections = unique_sections(&before);
        prop_assume!(!sections.is_empty());
        let section = sections[pick.index(sections.len())];
        let name = section.id.as_str();
        let applied = apply(text.as_bytes(), &[status(name, &word)]);
        prop_assert!(applied.missed.is_empty());
        let after = Document::parse(applied.bytes.clone());
        prop_assert_eq!(value(&after, name), Some(word.clone()));
        prop_assert_eq!(ids(&after), ids(&before));
        for other in sections.iter().filter(|s| s.id != section.id) {
            prop_assert_eq!(value(&after, other.id.as_str()), value(&before, other.id.as_str()));
        }
        if let Some(field) = section.fields.iter().find(|f| f.name == "status") {
            let (head, tail) = (&text.as_bytes()[..field.span.start], &text.as_bytes()[field.span.end..]);
            prop_assert!(applied.bytes.starts_with(head) && applied.bytes.ends_with(tail));
            let middle = &applied.bytes[head.len()..applied.bytes.len() - tail.len()];
            prop_assert_eq!(String::from_utf8_lossy(middle).trim().to_owned(), word);
        }
    }

    #[test]
    fn two_writers_lose_no_byte(text in queue_like(), at in any::<prop::sample::Index>(), added in "[ -~]{0,20}\n?") {
        let names: Vec<String> = unique_sections(&Document::parse(text.clone().into_bytes())).iter().map(|s| s.id.to_string()).collect();
        let first: Vec<Edit> = names.iter().map(|name| status(name, "in-progress")).collect();
        let ours = text_of(apply(text.as_bytes(), &first));
        // A person types somewhere else meanwhile; the second write starts from the file as it then is.
        let mut place = at.index(ours.len() + 1);
        while !ours.is_char_boundary(place) { place -= 1; }
        let theirs = format!("{}{added}{}", &ours[..place], &ours[place..]);
        let names = unique_sections(&Document::parse(theirs.clone().into_bytes())).iter().map(|s| s.id.to_string()).collect::<Vec<_>>();
        let archived: Vec<Edit> = names.iter().map(|name| archive(name)).collect();
        let applied = apply(theirs.as_bytes(), &archived);
        let mut all = applied.bytes.clone();
        applied.overflow.iter().for_each(|o| all.extend(&o.bytes));
        let (before, after) = (counts(theirs.as_bytes()), counts(&all));
        prop_assert!((0..256).all(|b| after[b] >= before[b]), "bytes were lost:\n{theirs}\n---\n{}", String::from_utf8_lossy(&applied.bytes));
        let mut left = ids(&Document::parse(applied.bytes));
        left.extend(applied.overflow.iter().map(|o| o.id.to_string()));
        for name in names { prop_assert!(left.contains(&name), "{name} is gone"); }
    }

    #[test]
    fn an_added_task_is_there_or_the_file_is_as_it_was(text in queue_like(), description in "\\PC{0,30}", body in queue_like()) {
        let task = NewTask { id: id("added"), title: "T".into(), fields: vec![("Description".into(), description)], body };
        let applied = apply(text.as_bytes(), &[Edit::Add(task)]);
        if applied.missed.is_empty() {
            prop_assert_eq!(ids(&Document::parse(applied.bytes)).iter().filter(|i| *i == "added").count(), 1);
        } else {
            prop_assert_eq!(applied.bytes, text.into_bytes());
        }
    }
}

fn text_of(applied: Applied) -> String {
    String::from_utf8(applied.bytes).unwrap()
}
