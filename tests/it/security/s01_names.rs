//! S01: one allow-list through which a text becomes a name.

use std::path::Path;

use orchestrator::config::Layout;
use orchestrator::domain::id::TaskId;

use crate::main_job::world::World;

fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "../../etc/x",
        "..\\x",
        "/abs",
        "a/../../b",
        "a/b",
        ".",
        "..",
        "a..b",
        "",
        " ",
        "a b",
        "nul\0",
        "-rf",
        "--help",
        "-",
        "%2e%2e%2f",
        "a%00",
        "~root",
        "$(id)",
        "`id`",
        "a;b",
        "a|b",
        "a\nb",
        "a\tb",
        "\u{202e}txt",
        "a\u{200b}b",
        "\u{feff}a",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{430}dmin",
        "a.lock",
        "a.",
        ".git",
        "_a",
        "*",
        "a:b",
        "a@{1}",
        "a~1",
        "a^",
        "a?",
        "a[b",
        "con\\",
        "\"a\"",
        "'a'",
        "<a>",
        "\u{1b}[31m",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("a".repeat(300));
    names.push("a".repeat(129));
    names
}

/// Seen to fail with the rule for letters taken out of `domain::id::broken_rule`.
#[test]
fn no_hostile_name_becomes_an_id_and_no_id_leaves_its_folder() {
    let layout = Layout::new(Path::new("/i"));
    for name in hostile() {
        let refused = TaskId::parse(&name).expect_err(&name).to_string();
        assert!(!refused.chars().any(char::is_control), "{refused:?}");
        assert!(refused.len() < 400, "{refused}");
        assert_eq!(layout.agent(&name), None, "{name:?}");
        assert_eq!(layout.project_memory(&name), None, "{name:?}");
    }
    for name in ["con", "nul", "a-b_c.d", "0", &"a".repeat(128)] {
        let id = TaskId::parse(name).unwrap();
        for path in [
            layout.heartbeat(&id),
            layout.progress_of(&id),
            layout.attempts(&id),
        ] {
            assert!(path.starts_with("/i"), "{}", path.display());
            let plain = |part| {
                matches!(
                    part,
                    std::path::Component::Normal(_) | std::path::Component::RootDir
                )
            };
            assert!(path.components().all(plain), "{}", path.display());
        }
    }
}

/// Seen to fail with the rule for letters taken out of `domain::id::broken_rule`.
#[test]
fn a_queue_with_hostile_headings_says_where_and_keeps_the_others() {
    let world = World::new();
    let mut text = String::from(
        "# Proactive Jobs\n\n## Active Tasks\n\n### first: Good\n- **Description:** d\n- **Status:** paused\n\n",
    );
    let mut lines = Vec::new();
    let one_line = |name: &String| !name.contains(['\n', '\0', '\u{1b}']) && !name.trim().is_empty();
    for name in hostile()
        .iter()
        .filter(|name| one_line(name) && !name.contains([' ', '\t']))
    {
        lines.push((text.lines().count() + 1, name.clone()));
        text.push_str(&format!(
            "### {name}: Bad\n- **Description:** d\n- **Status:** pending\n\n"
        ));
    }
    text.push_str("### last: Good\n- **Description:** d\n- **Status:** paused\n\n## Archived Tasks\n");
    world.save(&text);
    let ran = world.run(&["lint", "--json"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let found = ran.json();
    let tasks = found["files"][0]["tasks"].as_array().unwrap();
    let ids: Vec<&str> = tasks.iter().map(|t| t["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["first", "last"]);
    let problems = found["problems"].as_array().unwrap();
    for (line, name) in lines {
        let told = problems
            .iter()
            .any(|p| p["line"] == line && p["severity"] == "error");
        assert!(told, "line {line}, {name:?}: {problems:#?}");
    }
}
