//! Whole: people who must approve, and what they approve.

use super::world::{World, section};

fn world() -> World {
    World::configured(
        "max_concurrent = 2\n",
        "[approvals]\npeople = [\"jane\", \"joe\"]\neyes = 2\n",
    )
}

/// A verb as another account.
fn by(world: &World, name: &str, args: &[&str]) -> super::world::Ran {
    super::world::finished(world.command(args).env("USER", name))
}

#[test]
fn two_people_whose_word_counts_approve_what_was_shown() {
    let world = world();
    world.worker("t", "echo work > done.txt");
    world.save_tasks(&[&section("t", "- **Approval:** yes\n"), &section("free", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        world.task("free")["state"],
        "completed",
        "nobody asked for it there"
    );
    let waits = world.task("t");
    assert_eq!(
        (waits["state"].as_str(), waits["waiting"]["for"].as_str()),
        (Some("blocked"), Some("person"))
    );
    assert!(waits["waiting"]["until"].is_string(), "{waits:#}");
    let why = waits["waiting"]["why"].as_str().unwrap();
    let shown = why
        .split("as shown: ")
        .nth(1)
        .unwrap()
        .get(..10)
        .unwrap()
        .to_owned();

    let refused = by(&world, "mary", &["approve", "t"]);
    assert!(
        refused.code != 0 && refused.err.contains("does not count"),
        "{refused:?}"
    );
    let once = by(&world, "jane", &["approve", "t", "--commit", &shown]);
    assert_eq!(once.code, 0, "{once:?}");
    assert!(
        world.task("t")["waiting"]["why"]
            .as_str()
            .unwrap()
            .contains("approved by cli:jane so far")
    );
    let twice = by(&world, "jane", &["approve", "t"]);
    assert!(
        twice.code != 0 && twice.err.contains("somebody else"),
        "{twice:?}"
    );
    assert_eq!(by(&world, "joe", &["approve", "t", "--comment", "good"]).code, 0);
    let done = world.task("t");
    assert_eq!(done["state"], "completed", "{done:#}");
    assert!(by(&world, "joe", &["approve", "t"]).code != 0, "once");
}

#[test]
fn a_task_that_changed_since_is_judged_again() {
    let world = world();
    world.worker("t", "echo work > done.txt");
    world.save_tasks(&[&section("t", "- **Approval:** yes\n")]);
    world.done(&["tick", "--wait"]);
    world.edit(|text| text.replace("Do it.", "Do something else."));
    world.done(&["tick", "--wait"]);
    let refused = by(&world, "jane", &["approve", "t"]);
    assert!(
        refused.code != 0 && refused.err.contains("changed since it was shown"),
        "{refused:?}"
    );
    world.done(&["resume", "t"]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "blocked");
    assert_eq!(by(&world, "jane", &["approve", "t"]).code, 0);
}
