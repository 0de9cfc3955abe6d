//! How attempts end, and what follows: the ladder, the exit codes of `command` runtimes, outcome files, dependencies.

use super::world::{World, section};

#[test]
fn failures_climb_the_ladder_and_end_with_a_person() {
    let world = World::new();
    world.worker(
        "hard",
        "cat > $home/prompt-$ORCHESTRATOR_ATTEMPT; echo no luck >&2; exit 3",
    );
    world.save_tasks(&[&section("hard", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        world.outcomes("hard"),
        ["haiku:failed", "sonnet:failed", "opus:failed"]
    );
    let task = world.task("hard");
    assert_eq!(task["state"], "blocked");
    assert_eq!(task["waiting"]["for"], "person");
    assert!(task["waiting"]["who"].is_string(), "{task:#}");
    assert!(
        task["blocked_reason"].as_str().unwrap().contains("no luck"),
        "{task:#}"
    );
    assert_eq!(world.field("hard", "Status").as_deref(), Some("blocked"));
    assert_eq!(world.field("hard", "Escalation").as_deref(), Some("blocked"));
    let told = world.done(&["status"]).out;
    assert!(told.contains("hard") && told.contains("blocked"), "{told}");
    let prompt = |n: u32| std::fs::read_to_string(world.root().join(format!("prompt-{n}"))).unwrap();
    let another_way = "then take another way, split the task";
    assert!(!prompt(2).contains(another_way), "once is no pattern");
    assert!(prompt(3).contains(another_way), "{}", prompt(3));
}

#[test]
fn a_failed_gate_goes_back_with_its_report_and_climbs() {
    let world = World::new();
    world.worker(
        "proof",
        "cat > prompt-$ORCHESTRATOR_ATTEMPT.txt; touch done.txt
         [ $ORCHESTRATOR_TIER = haiku ] || echo right > answer.txt",
    );
    let check = "#### Validation\nThe answer is right:\n```bash\necho looking for it\ngrep -q right answer.txt\n```\n";
    world.save_tasks(&[&format!("{}\n{check}", section("proof", ""))]);
    let ran = world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("proof"), ["haiku:gate-failed", "sonnet:done"]);
    assert!(
        ran.out.contains("📈 [proof] - escalating from haiku to sonnet: "),
        "{}",
        ran.out
    );
    assert_eq!(world.field("proof", "Escalation").as_deref(), Some("sonnet"));
    assert_eq!(world.field("proof", "Model Used").as_deref(), Some("model-s"));
    let dir = world.state_dir().join("workspaces/proof");
    let prompt = world.git(&dir, &["show", "orchestrator/proof:prompt-2.txt"]);
    assert!(
        prompt.contains("The answer is right") && prompt.contains("looking for it"),
        "{prompt}"
    );
}

/// A worker that leaves work and this outcome file.
fn saying(file: &str) -> String {
    format!("touch done.txt; printf '%s' '{file}' > \"$ORCHESTRATOR_OUTCOME_FILE\"")
}

fn run_all(world: &World, ids: &[&str]) {
    let sections: Vec<String> = ids.iter().map(|id| section(id, "")).collect();
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    world.done(&["tick", "--wait"]);
}

#[test]
fn exit_codes_and_outcome_files_say_how_it_ended() {
    let world = World::new();
    let dear = r#"{"outcome":"done","reason":"ok","cost_usd":0.25,"input_tokens":7,"output_tokens":8}"#;
    let weak = saying(r#"{"outcome":"needs_stronger_model","reason":"too hard"}"#);
    world.worker(
        "more",
        "echo $ORCHESTRATOR_ATTEMPT >> done.txt; [ $ORCHESTRATOR_ATTEMPT = 3 ] || exit 75",
    );
    world.worker("idle", "exit 0");
    world.worker(
        "weak",
        &format!("[ $ORCHESTRATOR_TIER = opus ] && echo opus > done.txt && exit 0; {weak}"),
    );
    world.worker("dear", &saying(dear));
    world.worker("torn", &saying(r#"{"outcome":"#));
    run_all(&world, &["more", "idle", "weak", "dear", "torn"]);
    assert_eq!(
        world.outcomes("more"),
        ["haiku:continue", "haiku:continue", "haiku:done"]
    );
    assert_eq!(
        world.outcomes("idle"),
        ["haiku:bailed", "sonnet:bailed", "opus:bailed"]
    );
    assert_eq!(
        world.outcomes("weak"),
        ["haiku:failed", "sonnet:failed", "opus:done"]
    );
    assert_eq!(world.outcomes("torn"), ["haiku:done"]);
    assert_eq!(world.task("dear")["cost_usd"], 0.25);
}

#[test]
fn a_worker_that_needs_a_person_gets_one_whichever_way_it_says_so() {
    let world = World::new();
    world.worker("person", "touch done.txt; echo 'need a key' >&2; exit 77");
    world.worker(
        "asks",
        &saying(r#"{"outcome":"blocked","reason":"which database?"}"#),
    );
    world.worker(
        "verb",
        "touch done.txt; orchestrator agent blocked --reason 'ask me'",
    );
    run_all(&world, &["person", "asks", "verb"]);
    for (id, why) in [
        ("person", "need a key"),
        ("asks", "which database?"),
        ("verb", "ask me"),
    ] {
        let task = world.task(id);
        assert_eq!(world.outcomes(id), ["haiku:blocked"]);
        assert_eq!(task["state"], "blocked", "{id}");
        assert!(task["blocked_reason"].as_str().unwrap().contains(why), "{task:#}");
    }
}

#[test]
fn no_change_needed_passes_no_gate_without_checks() {
    let world = World::configured("", "");
    let config = std::fs::read_to_string(world.root().join("orchestrator.toml")).unwrap();
    let config = config
        .lines()
        .filter(|l| !l.starts_with("checks"))
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(world.root().join("orchestrator.toml"), config).unwrap();
    world.worker("same", r#"printf '{"outcome":"no_change_needed","reason":"it is right already"}' > "$ORCHESTRATOR_OUTCOME_FILE""#);
    world.save_tasks(&[&section("same", ""), &section("plain", "")]);
    world.done(&["tick", "--wait"]);
    for id in ["same", "plain"] {
        let task = world.task(id);
        assert_eq!(
            (&task["state"], &task["waiting"]["for"]),
            (&"blocked".into(), &"person".into()),
            "{task:#}"
        );
    }
    let ran = world.done(&["approve", "same", "--comment", "so it is"]);
    assert!(ran.out.contains("completed"), "{ran:?}");
    world.until_archived("same");
    let ran = world.done(&["reject", "plain", "--comment", "use more words"]);
    assert!(!ran.out.contains("completed"), "{ran:?}");
    world.worker("plain", "cat > prompt.txt");
    world.done(&["tick", "--wait"]);
    let dir = world.state_dir().join("workspaces/plain");
    let prompt = world.git(&dir, &["show", "orchestrator/plain:prompt.txt"]);
    assert!(prompt.contains("use more words"), "{prompt}");
}

#[test]
fn dependencies_run_in_order_and_a_cycle_never_does() {
    let world = World::new();
    for id in ["a", "b", "c"] {
        world.worker(
            id,
            "echo $ORCHESTRATOR_TASK_ID >> \"$home/order\"; touch done.txt",
        );
    }
    world.save_tasks(&[
        &section("c", "- **Depends On:** a, b\n- **Priority:** critical\n"),
        &section("b", "- **Depends On:** a\n"),
        &section("a", "- **Priority:** low\n"),
        &section("x", "- **Depends On:** y\n"),
        &section("y", "- **Depends On:** x\n"),
        &section("orphan", "- **Depends On:** nowhere\n"),
    ]);
    world.done(&["tick", "--wait"]);
    let order = std::fs::read_to_string(world.root().join("order")).unwrap();
    assert_eq!(order, "a\nb\nc\n");
    for id in ["x", "y", "orphan"] {
        assert_eq!(
            world.task(id)["attempts"].as_array().map_or(0, Vec::len),
            0,
            "{id}"
        );
    }
    let problems = world.status()["problems"].to_string();
    assert!(problems.contains("cycle"), "{problems}");
    assert!(problems.contains("nowhere"), "{problems}");
}

#[test]
fn a_continuous_task_goes_on_while_it_makes_progress() {
    let world = World::new();
    world.worker(
        "rolling",
        "[ $ORCHESTRATOR_ATTEMPT -le 3 ] && echo $ORCHESTRATOR_ATTEMPT >> done.txt; [ $ORCHESTRATOR_ATTEMPT -le 3 ] && exit 75; exit 75",
    );
    world.save_tasks(&[&section("rolling", "- **Type:** continuous\n")]);
    world.done(&["tick", "--wait"]);
    let outcomes = world.outcomes("rolling");
    assert_eq!(
        outcomes[..3],
        ["haiku:continue", "haiku:continue", "haiku:continue"],
        "{outcomes:?}"
    );
    let tiers: Vec<&str> = outcomes.iter().map(|o| o.split(':').next().unwrap()).collect();
    let of = |tier: &str| tiers.iter().filter(|t| **t == tier).count();
    assert_eq!((of("haiku"), of("sonnet"), of("opus")), (4, 1, 1), "{outcomes:?}");
    assert_eq!(world.task("rolling")["state"], "blocked");
}

#[test]
fn a_job_gives_its_prompt_its_checks_and_its_limits() {
    let world = World::new();
    std::fs::write(
        world.root().join("jobs/greet.md"),
        "---\nname: greet\ndescription: Greets.\ntier: sonnet\nvalidation:\n  - name: greeting\n    run: grep -q hello greeting.txt\nparams:\n  word: hello\n---\nSay {{ params.word }} for {{ task.description }}\n",
    )
    .unwrap();
    world.worker(
        "job",
        "cat > prompt.txt; echo hello > greeting.txt; touch done.txt",
    );
    world.save_tasks(&[&section("job", "- **Job:** greet\n")]);
    let lint = world.run(&["lint"]);
    assert_eq!(lint.code, 0, "{lint:?}");
    world.done(&["tick", "--wait"]);
    let task = world.task("job");
    assert_eq!(world.outcomes("job"), ["sonnet:done"]);
    let names: Vec<&str> = task["gate"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert!(
        names.contains(&"greeting") && names.contains(&"work"),
        "{names:?}"
    );
    let dir = world.state_dir().join("workspaces/job");
    let prompt = world.git(&dir, &["show", "orchestrator/job:prompt.txt"]);
    assert!(prompt.contains("Say hello for Do it."), "{prompt}");
}
