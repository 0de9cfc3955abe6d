//! Questions: a worker asks, the task waits, a person answers, and the work goes on with that.

use super::world::{World, section};

const ASKS: &str = r#"
if grep -q "Take the blue one" "$ORCHESTRATOR_PROMPT_FILE"; then
    echo blue > done.txt
else
    orchestrator agent ask "Which one: red or blue?"
    exit 77
fi
"#;

fn asked(world: &World, id: &str) {
    let task = world.until_state(id, "blocked");
    assert_eq!(task["waiting"]["for"], "person", "{task}");
    assert_eq!(task["blocked_reason"], "asks: Which one: red or blue?");
}

#[test]
fn a_question_waits_for_its_answer_and_the_work_goes_on_with_it() {
    let world = World::new();
    world.worker("paint", ASKS);
    let _up = world.up();
    world.save_tasks(&[&section("paint", "")]);
    asked(&world, "paint");
    let why = world.done(&["why", "paint"]).out;
    assert!(why.contains("asks: Which one: red or blue?"), "{why}");
    assert!(why.contains("orchestrator answer paint TEXT"), "{why}");
    let shown = world.done(&["show", "paint", "--json"]).json();
    assert_eq!(shown["questions"][0]["question"], "Which one: red or blue?");
    assert!(shown["questions"][0]["answer"].is_null());
    world.done(&["answer", "paint", "Take the", "blue one"]);
    world.until_archived("paint");
    assert_eq!(world.outcomes("paint"), ["haiku:blocked", "haiku:done"]);
    let report = "🔴 [paint] - blocked, needs human: asks: Which one: red or blue?";
    assert_eq!(
        world.reports().matches("needs human").count(),
        1,
        "{}",
        world.reports()
    );
    assert!(world.reports().contains(report), "{}", world.reports());
}

#[test]
fn a_client_that_ends_well_after_asking_has_neither_finished_nor_bailed() {
    let world = World::new();
    world.worker("paint", &ASKS.replace("exit 77", "echo half > done.txt"));
    let _up = world.up();
    world.save_tasks(&[&section("paint", "")]);
    asked(&world, "paint");
    world.done(&["answer", "paint", "Take the blue one"]);
    world.until_archived("paint");
}

#[test]
fn what_was_answered_reaches_no_person_twice() {
    let world = World::new();
    let stubborn = r#"
if [ "$ORCHESTRATOR_ATTEMPT" = 3 ]; then
    grep -q "Take the blue one" "$ORCHESTRATOR_PROMPT_FILE" && echo blue > done.txt
else
    orchestrator agent ask "which one - red, or blue"
    exit 77
fi
"#;
    world.worker("paint", stubborn);
    let _up = world.up();
    world.save_tasks(&[&section("paint", "")]);
    world.until_state("paint", "blocked");
    world.done(&["answer", "paint", "Take the blue one"]);
    world.until_archived("paint");
    assert_eq!(
        world.outcomes("paint"),
        ["haiku:blocked", "haiku:continue", "haiku:done"]
    );
    assert_eq!(
        world.reports().matches("needs human").count(),
        1,
        "{}",
        world.reports()
    );
}

#[test]
fn an_answer_may_come_while_the_worker_still_runs_or_with_no_service_at_all() {
    let world = World::new();
    let patient = r#"
orchestrator agent ask "Which one: red or blue?"
until grep -q "Take the blue one" "$ORCHESTRATOR_PROGRESS_FILE"; do sleep 0.05; done
echo blue > done.txt
"#;
    world.worker("patient", patient);
    world.worker("paint", ASKS);
    let up = world.up();
    world.save_tasks(&[&section("patient", ""), &section("paint", "")]);
    asked(&world, "paint");
    world.until("the question is known", || {
        let shown = world.done(&["show", "patient", "--json"]).json();
        shown["questions"][0]["question"].is_string().then_some(())
    });
    world.done(&["answer", "patient", "Take the blue one"]);
    world.until_archived("patient");
    drop(up);
    world.done(&["answer", "paint", "Take the blue one"]);
    let _up = world.up();
    world.until_archived("paint");
}

#[test]
fn who_asked_nothing_gets_no_answer_and_a_plain_block_takes_one() {
    let world = World::new();
    world.worker("stuck", "grep -q 'It is 42' \"$ORCHESTRATOR_PROMPT_FILE\" && touch done.txt || orchestrator agent blocked --reason 'What is the number?'");
    let _up = world.up();
    world.save_tasks(&[&section("stuck", ""), &section("idle", "- **Priority:** low\n")]);
    world.until_archived("idle");
    assert_eq!(world.run(&["answer", "idle", "x"]).code, 4);
    assert_eq!(world.run(&["answer", "nobody", "x"]).code, 3);
    assert_eq!(world.run(&["answer", "idle", " "]).code, 2);
    world.until_state("stuck", "blocked");
    world.done(&["answer", "stuck", "It is 42"]);
    world.until_archived("stuck");
}
