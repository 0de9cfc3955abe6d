//! A reviewer that gives no review, takes too long, changes what it reviews, or whose provider is in trouble; and an
//! orchestrator that is killed meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use super::super::world::{World, is_alive, section};
use super::{CLEAN, asked, check, critic, says, world};

/// The process of the critic that was asked for the `n`th time.
fn pid(world: &World, n: u32) -> u32 {
    let text = world.until_file(&world.root().join(format!("pid-{n}")));
    text.trim().parse().unwrap()
}

const WAITS: &str = "echo $$ > \"$home/pid-$asked\"; while [ ! -f \"$home/go\" ]; do sleep 0.02; done\n";

/// Seen to fail with the second chance counted as an acceptance: the tasks are archived.
#[test]
fn what_is_no_review_is_asked_for_once_more_and_then_of_a_person() {
    let world = world("", "");
    let rows = [
        (
            "praise",
            "echo 'ACCEPT. What a beautiful piece of work!'".to_owned(),
            "no JSON object",
        ),
        ("silent", "true".to_owned(), "no JSON object"),
        ("torn", says(&CLEAN[..CLEAN.len() - 2]), "no JSON object"),
        (
            "elsewhere",
            says(&super::blocks("x").replace("done.txt", "src/lib.rs")),
            "no file 'src/lib.rs'",
        ),
        (
            "twice",
            format!("{}{}", says(CLEAN), says(CLEAN)),
            "there are 2 JSON objects",
        ),
        ("failing", format!("{}exit 1", says(CLEAN)), "exit code 1"),
    ];
    let sections: Vec<String> = rows.iter().map(|(task, ..)| section(task, "")).collect();
    rows.iter()
        .for_each(|(task, script, _)| critic(&world, task, script));
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let _up = world.up();
    for (task, _, flaw) in rows {
        let waits = world.until_state(task, "blocked");
        let why = waits["blocked_reason"].as_str().unwrap();
        assert!(
            why.contains("no review was had") && why.contains(flaw),
            "{task}: {why}"
        );
        assert_eq!(asked(&world, task), "2\n", "{task}");
        let again = super::prompt(&world, task, 2);
        assert!(
            again.contains("Your answer is not accepted as a review"),
            "{task}: {again}"
        );
        assert_eq!(check(&waits, "review")["verdict"], "needs-person");
    }
}

#[test]
fn a_second_answer_in_the_right_form_counts() {
    let world = world("", "");
    critic(
        &world,
        "one",
        &format!("[ $asked = 1 ] && echo nonsense && exit 0\n{}", says(CLEAN)),
    );
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    world.until_state("one", "completed");
}

/// Seen to fail with the look at the files taken out of `Sitting::read`: the task is completed.
#[test]
fn a_reviewer_that_is_held_by_nothing_and_changes_the_work_is_not_heard() {
    let world = world("", "");
    critic(&world, "one", &format!("echo better > done.txt\n{}", says(CLEAN)));
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let waits = world.until_state("one", "blocked");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(why.contains("it changed the files under review"), "{why}");
}

/// Seen to fail with the checkout among the folders that the cell may write.
#[test]
fn a_contained_reviewer_reads_the_work_and_changes_nothing() {
    let world = world("", "containment = \"sandbox\"\n");
    let critics = world.root().join("critics").display().to_string();
    // What the sandbox shows of the instance is the script alone, so it must say by itself what to do.
    let tries = format!(
        "for path in done.txt new.txt .git/HEAD; do if echo x 2>/dev/null > $path; then echo \"wrote $path\"; exit 3; fi; done\n\
         [ -s done.txt ] || exit 4\n[ -z \"$ORCHESTRATOR_TOKEN\" ] || exit 5\n\
         ls {critics:?} 2>/dev/null && exit 6\n\
         git status --short || exit 7\n{}",
        says(CLEAN)
    );
    fs::write(world.root().join("critic.sh"), tries).unwrap();
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let done = world.until_task("one", "an end", |task| {
        task["state"] == "completed" || task["state"] == "blocked"
    });
    assert_eq!(done["state"], "completed", "{done:#}");
}

#[test]
fn a_reviewer_that_takes_too_long_is_killed() {
    let world = world("timeout = \"1s\"", "");
    critic(&world, "one", WAITS);
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let waits = world.until_state("one", "blocked");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(why.contains("took longer than its timeout"), "{why}");
    assert!(!is_alive(pid(&world, 1)) && !is_alive(pid(&world, 2)));
}

#[test]
fn a_review_that_nobody_wants_any_more_is_killed() {
    let world = world("", "");
    critic(&world, "one", WAITS);
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let reviewer = pid(&world, 1);
    world.done(&["cancel", "one"]);
    world.until("the reviewer is dead", || (!is_alive(reviewer)).then_some(()));
    assert_eq!(world.task("one")["state"], "cancelled");
}

/// Seen to fail with `room::clear` taken out: two reviewers are at work.
#[test]
fn an_orchestrator_that_is_killed_has_it_reviewed_anew() {
    let world = world("", "");
    critic(&world, "one", &format!("{WAITS}{}", says(CLEAN)));
    world.save_tasks(&[&section("one", "")]);
    let mut up = world.up();
    let first = pid(&world, 1);
    up.kill();
    assert!(is_alive(first), "its supervisor holds it");
    let _up = world.up();
    let second = pid(&world, 2);
    assert!(!is_alive(first), "the old one ends before the new one begins");
    assert!(is_alive(second));
    fs::write(world.root().join("go"), "").unwrap();
    let done = world.until_state("one", "completed");
    assert_eq!(done["attempts"].as_array().unwrap().len(), 1, "{done:#}");
}

#[test]
fn a_providers_limit_is_waited_for_and_costs_nothing() {
    let world = world("", "");
    let limit = "at=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%SZ)\n\
                 echo \"{\\\"outcome\\\":\\\"rate_limited\\\",\\\"reason\\\":\\\"come back later\\\",\\\"retry_at\\\":\\\"$at\\\"}\" > \"$ORCHESTRATOR_OUTCOME_FILE\"; exit 1";
    critic(
        &world,
        "one",
        &format!("if [ $asked = 1 ]; then {limit}; fi\n{}", says(CLEAN)),
    );
    world.save_tasks(&[&section("one", "")]);
    let began = Instant::now();
    let _up = world.up();
    let waits = world.until_task("one", "waits for a review", |task| {
        task["waiting"]["for"] == "quota"
    });
    let why = waits["waiting"]["why"].as_str().unwrap();
    assert!(why.starts_with("waits for a review: critic rests until"), "{why}");
    assert!(waits["waiting"]["until"].is_string(), "{waits:#}");
    let done = world.until_state("one", "completed");
    assert!(began.elapsed() > Duration::from_secs(1));
    assert_eq!(done["attempts"].as_array().unwrap().len(), 1, "{done:#}");
}

#[test]
fn who_cannot_review_at_all_is_waited_for_and_then_a_person_asked() {
    let world = world("wait = \"1s\"", "");
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    let gone = text.replace("runtimes = [\"critic\"]", "runtimes = [\"nowhere\"]");
    fs::write(
        &config,
        format!("{gone}[runtimes.nowhere]\nkind = \"command\"\ncommand = [\"no-such-program-here\"]\n"),
    )
    .unwrap();
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let waits = world.until_state("one", "blocked");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(
        why.contains("no review was had: nowhere: there is no program 'no-such-program-here'"),
        "{why}"
    );
}
