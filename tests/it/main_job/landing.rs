//! Whole: finished work goes into its base, one task after the other, and what is merged is judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::{World, section};

fn project(world: &World) -> PathBuf {
    let files = BTreeMap::from([("f.txt", "one\n"), ("n0.txt", "\n"), ("notes.txt", "mine\n")]);
    world.repository("project", &files)
}

fn task(id: &str, more: &str) -> String {
    section(
        id,
        &format!("- **Workspace:** ../project\n- **Landing:** base\n{more}"),
    )
}

fn subjects(world: &World, project: &Path) -> Vec<String> {
    let log = world.git(project, &["log", "--first-parent", "--format=%s", "main"]);
    log.lines().map(str::to_owned).collect()
}

fn kinds(world: &World, id: &str) -> Vec<String> {
    let shown = world.done(&["show", id, "--json"]).json();
    let events = shown["events"].as_array().unwrap().iter();
    events
        .map(|e: &Value| e["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn work_lands_in_its_base_and_the_folder_that_has_it_checked_out_follows() {
    let world = World::new();
    let project = project(&world);
    fs::write(project.join("notes.txt"), "changed by hand\n").unwrap();
    world.worker("t", "touch done.txt; echo two > f.txt");
    world.save_tasks(&[&task("t", "")]);
    world.done(&["tick", "--wait"]);
    let done = world.task("t");
    assert_eq!(done["state"], "completed", "{done:#}");
    assert_eq!(fs::read_to_string(project.join("f.txt")).unwrap(), "two\n");
    assert_eq!(world.git(&project, &["status", "--porcelain"]), " M notes.txt\n");
    assert_eq!(subjects(&world, &project).len(), 2);
    let judged = done["gate"]["commit"].as_str().unwrap();
    let parents = world.git(&project, &["log", "-1", "--format=%P%n%T", "main"]);
    assert!(parents.contains(judged), "{parents}");
    let tree = world.git(&project, &["rev-parse", &format!("{judged}^{{tree}}")]);
    assert!(
        parents.ends_with(&tree),
        "what landed is what was judged: {parents} {tree}"
    );
}

#[test]
fn without_the_wish_nothing_is_moved() {
    let world = World::new();
    let project = project(&world);
    world.worker("t", "touch done.txt");
    // A folder of the task's own has nowhere to go.
    let own = section("own", "- **Landing:** base\n");
    world.save_tasks(&[&section("t", "- **Workspace:** ../project\n"), &own]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "completed");
    assert_eq!(world.task("own")["state"], "completed");
    assert_eq!(subjects(&world, &project), ["start"]);
}

/// Each of the two passes alone, at the same time, and together they do not: the later one goes back to its worker.
#[test]
fn what_is_merged_is_judged_before_it_lands() {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[gate]", "[gate]\ncontainment = \"none\"")).unwrap();
    let project = project(&world);
    let meet = world.path("meet");
    fs::create_dir(&meet).unwrap();
    // The two gates wait for each other, so that both judge by the same base.
    let check = format!(
        "\n#### Validation\n```sh\nfor who in who-*; do touch {meet}/$who; done\n\
         until [ -e {meet}/who-a ] && [ -e {meet}/who-b ]; do sleep 0.02; done\n\
         test $(ls n*.txt | grep -v notes | wc -l) -le 2\n```\n",
        meet = meet.display()
    );
    let worker = "touch done.txt who-$ORCHESTRATOR_TASK_ID\nn=n-$ORCHESTRATOR_TASK_ID.txt\n\
                  if [ $ORCHESTRATOR_ATTEMPT = 1 ]; then touch $n; else cat > prompt.txt; rm $n; fi\n";
    world.worker("a", worker);
    world.worker("b", worker);
    world.save_tasks(&[&task("a", &check), &task("b", &check)]);
    world.done(&["tick", "--wait"]);
    let files = world.git(&project, &["ls-tree", "--name-only", "main"]);
    let there: Vec<&str> = files.lines().filter(|f| f.starts_with("n-")).collect();
    assert_eq!(there.len(), 1, "one of them has landed with its file: {files}");
    assert_eq!(subjects(&world, &project).len(), 3);
    let (first, second) = if there[0].contains('a') {
        ("a", "b")
    } else {
        ("b", "a")
    };
    assert!(!kinds(&world, first).contains(&"rejudged".to_owned()));
    assert!(kinds(&world, second).contains(&"rejudged".to_owned()));
    assert_eq!(world.outcomes(second), ["haiku:gate-failed", "sonnet:done"]);
    let prompt = fs::read_to_string(project.join("prompt.txt")).unwrap();
    assert!(prompt.contains("merged with its base as it is now"), "{prompt}");
}

#[test]
fn a_conflict_is_an_agents_first_and_a_persons_then() {
    let world = World::new();
    let project = project(&world);
    // The base moves while the worker is at it, and once more while the conflict is resolved.
    world.worker(
        "t",
        r#"touch done.txt
base() { git -C "$home/../project" -c user.name=m -c user.email=m@example.org "$@"; }
if [ "$ORCHESTRATOR_ATTEMPT" = 1 ]; then
    echo mine > f.txt
else
    cat > prompt.txt
    grep -q '<<<<<<<' f.txt || exit 3
    echo both > f.txt
fi
echo "theirs $ORCHESTRATOR_ATTEMPT" > "$home/../project/f.txt"
base commit -q -a -m "theirs $ORCHESTRATOR_ATTEMPT"
"#,
    );
    world.save_tasks(&[&task("t", "")]);
    world.done(&["tick", "--wait"]);
    let waits = world.task("t");
    assert_eq!(waits["state"], "blocked", "{waits:#}");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(why.contains("conflicts with it in f.txt"), "{why}");
    assert_eq!(waits["attempts"].as_array().unwrap().len(), 2);
    let top = world.root().join(".orchestrator/worktrees/t");
    let prompt = fs::read_to_string(top.join("prompt.txt")).unwrap();
    assert!(prompt.contains("f.txt") && prompt.contains("marks"), "{prompt}");
    // A person resolves it on the task's branch.
    fs::write(top.join("f.txt"), "settled\n").unwrap();
    world.git(&top, &["commit", "-q", "-a", "-m", "settled"]);
    world.done(&["resume", "t"]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "completed");
    assert_eq!(fs::read_to_string(project.join("f.txt")).unwrap(), "settled\n");
}

#[test]
fn marks_of_a_conflict_do_not_pass_for_work() {
    let world = World::new();
    project(&world);
    world.worker(
        "t",
        "touch done.txt; printf '<<<<<<< ours\\none\\n=======\\ntwo\\n>>>>>>> theirs\\n' > f.txt",
    );
    world.save_tasks(&[&task("t", "- **Max Model:** haiku\n")]);
    world.done(&["tick", "--wait"]);
    let waits = world.task("t");
    assert_ne!(waits["state"], "completed", "{waits:#}");
    let shown = world.done(&["show", "t"]).out;
    assert!(shown.contains("marks of a conflict"), "{shown}");
}

#[test]
fn what_somebody_has_changed_in_the_folder_is_not_overwritten() {
    let world = World::new();
    let project = project(&world);
    fs::write(project.join("f.txt"), "by hand\n").unwrap();
    world.worker("t", "touch done.txt; echo two > f.txt");
    world.save_tasks(&[&task("t", "")]);
    world.done(&["tick", "--wait"]);
    let waits = world.task("t");
    assert_eq!(waits["state"], "blocked", "{waits:#}");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(why.contains("f.txt") && why.contains("resume"), "{why}");
    assert_eq!(fs::read_to_string(project.join("f.txt")).unwrap(), "by hand\n");
    assert_eq!(subjects(&world, &project), ["start"]);
    world.git(&project, &["checkout", "-q", "f.txt"]);
    world.done(&["resume", "t"]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "completed");
    assert_eq!(fs::read_to_string(project.join("f.txt")).unwrap(), "two\n");
}

/// One lane: every one of them lands.
#[test]
fn many_at_once_land_one_after_the_other() {
    let world = World::new();
    let project = project(&world);
    let ids: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
    for id in &ids {
        world.worker(id, &format!("touch done.txt; echo {id} > {id}.txt"));
    }
    let sections: Vec<String> = ids.iter().map(|id| task(id, "")).collect();
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    world.done(&["tick", "--wait"]);
    let files = world.git(&project, &["ls-tree", "--name-only", "main"]);
    for id in &ids {
        assert_eq!(world.task(id)["state"], "completed");
        assert!(files.contains(&format!("{id}.txt")), "{files}");
    }
    assert_eq!(subjects(&world, &project).len(), 7);
}

/// Two that name the same file work one after the other, so that they cannot conflict; a third one beside them.
#[test]
fn tasks_that_are_likely_to_touch_the_same_files_take_turns() {
    let world = World::new();
    let project = project(&world);
    let meet = world.path("meet");
    fs::create_dir(&meet).unwrap();
    // Each says that it has begun, and waits for the word to go on.
    let worker = |line: &str| {
        format!(
            "touch done.txt {meet}/$ORCHESTRATOR_TASK_ID\nuntil [ -e {meet}/go ]; do sleep 0.02; done\n{line}\n",
            meet = meet.display()
        )
    };
    world.worker("a", &worker("sed -i s/one/two/ f.txt"));
    world.worker("b", &worker("sed -i s/two/three/ f.txt"));
    world.worker("c", &worker("touch c.txt"));
    let says = |id: &str, file: &str| task(id, &format!("- **Instructions:** Change `{file}`.\n"));
    world.save_tasks(&[&says("a", "f.txt"), &says("b", "./f.txt"), &says("c", "c.md")]);
    let _up = world.up();
    let waits = world.until_task("b", "waits for a", |t| {
        t["waiting"]["why"]
            .as_str()
            .unwrap_or_default()
            .contains("a is likely to touch")
    });
    assert_eq!(waits["waiting"]["on"][0], "a", "{waits:#}");
    world.until("a and c work", || {
        (meet.join("a").exists() && meet.join("c").exists()).then_some(())
    });
    assert!(!meet.join("b").exists());
    fs::write(meet.join("go"), "").unwrap();
    for id in ["a", "b", "c"] {
        world.until_state(id, "completed");
    }
    assert_eq!(fs::read_to_string(project.join("f.txt")).unwrap(), "three\n");
    assert_eq!(world.task("b")["attempts"].as_array().unwrap().len(), 1);
}
