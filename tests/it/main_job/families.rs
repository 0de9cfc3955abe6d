//! Sub-tasks: made by workers, seen by people, waited for by their parents.

use std::collections::BTreeMap;
use std::fs;

use super::world::{World, section};

/// Makes two sub-tasks, then makes one thing of their work.
const SPLITS: &str = r#"
if [ "$ORCHESTRATOR_ATTEMPT" = 1 ]; then
    orchestrator agent spawn --id one --title "Part one" --description "Do one." --validation "test -f one.txt"
    orchestrator agent spawn --id two --title "Part two" --description "Do two." --depends-on one
else
    grep -q "p.two (Part two): completed, commit [0-9a-f]*, merged into yours" "$ORCHESTRATOR_PROMPT_FILE"
    cat one.txt two.txt > done.txt
fi
"#;

fn repository(world: &World) {
    world.repository("repo", &BTreeMap::from([("readme", "hello\n")]));
}

#[test]
fn a_parent_waits_for_its_sub_tasks_and_brings_their_work_together() {
    let world = World::new();
    repository(&world);
    world.worker("p", SPLITS);
    world.worker("p.one", "echo 1 > one.txt; touch done.txt");
    world.worker("p.two", "test -f one.txt && echo 2 > two.txt");
    let _up = world.up();
    world.save_tasks(&[&section(
        "p",
        "- **Workspace:** ../repo\n- **Priority:** high\n- **Project:** web\n",
    )]);
    let waits = world.until_task("p", "waits", |t| {
        t["waiting"]["on"].as_array().is_some_and(|on| !on.is_empty())
    });
    assert_eq!(waits["waiting"]["for"], "dependency", "{waits}");
    world.until_state("p", "completed");
    assert_eq!(world.outcomes("p"), ["haiku:continue", "haiku:done"]);
    assert_eq!(world.outcomes("p.one"), ["haiku:done"]);
    let files = world.git(&world.path("repo"), &["ls-tree", "--name-only", "orchestrator/p"]);
    for file in ["one.txt", "two.txt", "done.txt"] {
        assert!(files.contains(file), "{files}");
    }
    for (key, value) in [
        ("Parent", "p"),
        ("Project", "web"),
        ("Priority", "high"),
        ("Status", "completed"),
    ] {
        assert_eq!(world.field("p.two", key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(world.field("p.two", "Depends On").as_deref(), Some("p.one"));
    let shown = world.done(&["show", "p", "--json"]).json();
    assert_eq!(shown["children"], serde_json::json!(["p.one", "p.two"]));
}

/// What conflicts is told, and nothing of it is left in the parent's folder.
#[test]
fn a_sub_task_that_conflicts_is_for_the_parent_to_bring_in() {
    let world = World::new();
    repository(&world);
    world.worker(
        "p",
        r#"
if [ "$ORCHESTRATOR_ATTEMPT" = 1 ]; then
    echo mine > readme
    orchestrator agent spawn --id one --title "Part one" --description "Do one."
else
    grep "p.one (Part one): completed, commit .*, not merged: it conflicts with yours in readme" "$ORCHESTRATOR_PROMPT_FILE"
    test "$(cat readme)" = mine && test -z "$(git status --short)"
    git show $(git rev-parse orchestrator/p.one):readme >> readme
    touch done.txt
fi
"#,
    );
    world.worker("p.one", "echo theirs > readme; touch done.txt");
    let _up = world.up();
    world.save_tasks(&[&section("p", "- **Workspace:** ../repo\n")]);
    world.until_state("p", "completed");
    assert_eq!(world.outcomes("p"), ["haiku:continue", "haiku:done"]);
    let readme = world.git(&world.path("repo"), &["show", "orchestrator/p:readme"]);
    assert_eq!(readme.trim(), "mine\ntheirs");
}

#[test]
fn what_is_not_allowed_is_refused_and_told_in_the_progress_file() {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("[policy]\n", "[policy]\nmax_children = 2\n"),
    )
    .unwrap();
    let greedy = r#"
s() { orchestrator agent spawn --title t --description d "$@"; }
if [ "$ORCHESTRATOR_ATTEMPT" = 1 ]; then
    s --id bad --tier gigantic
    s --id lost --depends-on nobody
    s --id knot --depends-on p
    s --id deep
    s --id deep
    s --id last
    s --id more
    ln -s /etc/hostname "$(dirname "$ORCHESTRATOR_OUTCOME_FILE")/requests/9.json"
else
    touch done.txt
fi
"#;
    world.worker("p", greedy);
    let deep =
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] && orchestrator agent spawn --id er --description d; touch done.txt";
    world.worker("p.deep", deep);
    world.worker("p.deep.er", deep);
    let _up = world.up();
    world.save_tasks(&[&section("p", "")]);
    world.until_state("p", "completed");
    assert_eq!(
        world.outcomes("p.deep"),
        ["haiku:continue", "haiku:done"],
        "nothing to add is no bail"
    );
    let told = fs::read_to_string(world.root().join("progress/p.md")).unwrap();
    for why in [
        "there is no tier 'gigantic'",
        "it depends on 'nobody', which is no task",
        "it cannot wait for 'p'",
        "a task may make 2 sub-tasks",
        "is not a plain file",
    ] {
        assert_eq!(told.matches(why).count(), 1, "{why}: {told}");
    }
    let deepest = fs::read_to_string(world.root().join("progress/p.deep.er.md")).unwrap();
    assert!(
        deepest.contains("a sub-task of depth 2 makes no further ones"),
        "{deepest}"
    );
    let status = world.status();
    let ids = status["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].as_str().unwrap());
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    assert_eq!(ids, ["p", "p.deep", "p.deep.er", "p.last"]);
}

#[test]
fn who_cancels_a_task_cancels_the_sub_tasks_that_its_workers_made_and_no_other() {
    let world = World::new();
    world.worker("p", "orchestrator agent spawn --id a --description d");
    world.worker("p.a", "sleep 600");
    let _up = world.up();
    let own = section("mine", "- **Parent:** p\n").replace("pending", "paused");
    world.save_tasks(&[&section("p", ""), &own]);
    world.until_state("p.a", "in-progress");
    world.until_task("p", "waits", |t| {
        t["waiting"]["on"] == serde_json::json!(["mine", "p.a"])
    });
    world.done(&["cancel", "p"]);
    world.until_state("p.a", "cancelled");
    world.set_status("mine", "pending");
    world.until_archived("mine");
    // A person's word brings one of them back, and it is not taken down again.
    world.worker("p.a", "touch done.txt");
    world.done(&["retry", "p.a"]);
    world.until_archived("p.a");
}

#[test]
fn a_blocked_sub_task_does_not_keep_a_tick_waiting() {
    let world = World::new();
    world.worker("p", "orchestrator agent spawn --id a --description d");
    world.worker("p.a", "exit 77");
    world.save_tasks(&[&section("p", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("p.a")["state"], "blocked");
    let why = world.done(&["why", "p"]).out;
    assert!(why.contains("its sub-tasks p.a"), "{why}");
}
