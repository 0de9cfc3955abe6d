//! The orchestrator's own edits of the queue file: nothing but what it owns changes.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::queue_support::*;
use orchestrator::format::queue::{Document, Edit, NewTask, Why, apply};

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
        assert_eq!(written(&applied), MESSY.replacen(old, new, 1), "{name}");
    }
}

#[test]
fn a_status_is_written_in_the_style_of_its_place() {
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
            written(&apply(old.as_bytes(), &[status("a", "done")])),
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
        written(&applied),
        "# P\n\n## Active Tasks\n\n## Archived Tasks\n\n### b: B\n- **Status:** y\n\n### a: A\n- **Status:** completed\n\ntext\n\n### c: C\n- **Status:** z\n"
    );
    let bare = "### a: A\r\n- **Status:** x";
    assert_eq!(
        written(&apply(bare.as_bytes(), &[archive("a")])),
        "## Archived Tasks\r\n\r\n### a: A\r\n- **Status:** x\r\n"
    );
    let no_archive = "### a\n- Job: x\n### b\n- Job: y\n";
    assert_eq!(
        written(&apply(no_archive.as_bytes(), &[archive("a")])),
        "### b\n- Job: y\n\n## Archived Tasks\n\n### a\n- Job: x\n"
    );
    let empty = "### a\n- Job: x\n\n## Archived Tasks\n\nIntro.\n";
    assert_eq!(
        written(&apply(empty.as_bytes(), &[archive("a")])),
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
        assert_eq!(written(&applied), want, "{file:?}");
        assert_eq!(
            task(&reading(&want), "new").definition.description,
            "First.\nSecond."
        );
    }
}
