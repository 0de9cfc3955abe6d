//! A sub-task as a section of the queue file: what a worker wrote, put where it can do no harm.
//!
//! Invariant: a worker's text is the value of a field or a script of its own section, whatever it holds: it opens no
//! heading, comment or code block of the file, and sets no field. [`super::apply`] holds the rest of the file safe.

use super::edit::NewTask;
use crate::domain::definition::Definition;
use crate::domain::id::TaskId;
use crate::format::request::Spawn;

/// The section of a sub-task. It takes project, workspace, priority and highest tier from its parent.
pub fn sub_task(
    spawn: &Spawn,
    id: TaskId,
    parent: (&TaskId, &Definition),
    depends_on: &[TaskId],
    budget_usd: Option<f64>,
    created: String,
) -> NewTask {
    let (parent, definition) = parent;
    let names: Vec<&str> = depends_on.iter().map(TaskId::as_str).collect();
    let some = |text: String| Some(text).filter(|t| !t.is_empty());
    let fields = [
        ("Parent", Some(parent.to_string())),
        ("Type", Some("one-off".to_owned())),
        ("Min Model", spawn.tier.as_deref().map(harmless)),
        ("Max Model", definition.max_tier.as_ref().map(ToString::to_string)),
        ("Priority", Some(definition.priority.as_str().to_owned())),
        ("Project", some(definition.project.clone())),
        ("Workspace", definition.workspace.clone()),
        ("Runs On", some(definition.runs_on.join(", "))),
        ("Scope", some(scope(&definition.scope))),
        ("Depends On", some(names.join(", "))),
        ("Budget", budget_usd.map(|dollars| format!("${dollars:.2}"))),
        ("Description", Some(indented(&harmless(&spawn.description)))),
        ("Status", Some("pending".to_owned())),
        ("Created", Some(created)),
    ];
    let field = |(key, value): (&str, Option<String>)| Some((key.to_owned(), value?));
    NewTask {
        id,
        title: harmless(&spawn.title),
        fields: fields.into_iter().filter_map(field).collect(),
        body: checks(&spawn.validation),
    }
}

/// As the field is read: a pattern with blanks in marks.
fn scope(patterns: &[String]) -> String {
    let marked: Vec<String> = patterns.iter().map(|p| format!("`{p}`")).collect();
    marked.join(", ")
}

/// Without what opens or closes a comment or a code block.
fn harmless(text: &str) -> String {
    text.replace("<!--", "<! --")
        .replace("-->", "-- >")
        .replace("```", "'''")
        .replace("~~~", "'''")
}

/// Further lines stand so deep that they are part of the first one's item, and none of them is empty.
fn indented(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut all = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        all.push_str("\n    ");
        all.push_str(line);
    }
    all
}

/// Each script in a code block whose fence is longer than any in it.
fn checks(scripts: &[String]) -> String {
    if scripts.is_empty() {
        return String::new();
    }
    let block = |script: &String| {
        let longest = script.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        format!("\n{fence}bash\n{script}\n{fence}\n")
    };
    let blocks: String = scripts.iter().map(block).collect();
    format!("#### Validation\n{blocks}")
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Edit, Known, apply, read};
    use super::*;
    use crate::domain::definition::{Declared, Priority};
    use proptest::prelude::*;

    const QUEUE: &str = "## Active Tasks\n\n### p: Parent\n- **Description:** d\n- **Status:** pending\n\n### q: Other\n- **Status:** paused\n- **Description:** d\n";

    fn id(text: &str) -> TaskId {
        TaskId::parse(text).unwrap()
    }

    fn written(spawn: &Spawn) -> String {
        let parent = Definition {
            priority: Priority::High,
            workspace: Some("../repo".into()),
            project: "web".into(),
            scope: vec!["src".into(), "a b/**".into()],
            ..Definition::default()
        };
        let task = sub_task(
            spawn,
            id("p.a"),
            (&id("p"), &parent),
            &[id("q")],
            Some(1.5),
            "2026-01-01".into(),
        );
        let applied = apply(QUEUE.as_bytes(), &[Edit::Add(task)]);
        assert_eq!(applied.missed, []);
        String::from_utf8(applied.bytes).unwrap()
    }

    #[test]
    fn it_reads_as_a_person_would_have_written_it() {
        let spawn = Spawn {
            id: "a".into(),
            title: "A part".into(),
            description: "Do it.\n\nThen look:\n- one\n- two".into(),
            tier: Some("haiku".into()),
            depends_on: vec!["q".into()],
            validation: vec!["true\necho '```'".into(), "test -f a".into()],
        };
        let reading = read("q.md", written(&spawn).into_bytes(), &Known::default());
        assert_eq!(reading.problems, []);
        let task = reading.tasks.iter().find(|t| t.id == id("p.a")).unwrap();
        let d = &task.definition;
        assert_eq!(task.declared, Some(Declared::Pending));
        assert_eq!(
            (d.parent.clone(), d.depends_on.clone()),
            (Some(id("p")), vec![id("q")])
        );
        assert_eq!(
            (d.project.as_str(), d.workspace.as_deref()),
            ("web", Some("../repo"))
        );
        assert_eq!((d.priority, d.budget_usd), (Priority::High, Some(1.5)));
        assert_eq!(d.scope, ["src", "a b/**"]);
        assert_eq!(
            d.checks.iter().map(|c| c.run.trim()).collect::<Vec<_>>(),
            ["true\necho '```'", "test -f a"]
        );
        for line in ["Do it.", "Then look:", "one", "two"] {
            assert!(d.description.contains(line), "{}", d.description);
        }
    }

    proptest! {
        #[test]
        fn no_text_of_a_worker_reaches_beyond_its_section(
            lines in prop::collection::vec(
                "(### x: y|- \\*\\*Status:\\*\\* done|```|~~~|<!--|-->|## Archived Tasks|<<<<<<< a|- Status: x|\\* Parent: z|text|\t|=======)",
                0..8
            ),
            script in prop::collection::vec("(```|~~~|### x: y|<!--|- Status: done|true)", 0..5),
        ) {
            let spawn = Spawn {
                id: "a".into(),
                title: lines.join(" "),
                description: lines.join("\n"),
                validation: vec![script.join("\n")],
                ..Spawn::default()
            };
            let parent = Definition::default();
            let task = sub_task(&spawn, id("p.a"), (&id("p"), &parent), &[], None, "2026-01-01".into());
            let applied = apply(QUEUE.as_bytes(), &[Edit::Add(task)]);
            if applied.missed.is_empty() {
                let reading = read("q.md", applied.bytes.clone(), &Known::default());
                let ids: Vec<&str> = reading.tasks.iter().map(|t| t.id.as_str()).collect();
                prop_assert_eq!(ids, ["p", "q", "p.a"]);
                let child = &reading.tasks[2];
                prop_assert_eq!(child.declared, Some(Declared::Pending));
                prop_assert_eq!(child.definition.parent.clone(), Some(id("p")));
                prop_assert!(Document::parse(applied.bytes).is_whole());
            }
        }
    }
}
