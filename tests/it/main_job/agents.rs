//! Named agents: what a file in agents/ says holds for the tasks that name it, and the medic's one turn.

use std::fs;

use super::world::{World, section};

fn configure(world: &World, before: &str, after: &str) {
    let path = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(before), "{text}");
    fs::write(&path, text.replacen(before, after, 1)).unwrap();
}

#[test]
fn the_agents_that_init_writes_are_right() {
    let world = World::new();
    for name in ["researcher", "builder", "planner", "medic", "reviewer"] {
        let path = world.root().join(format!("agents/{name}.md"));
        let bytes = fs::read(&path).unwrap();
        let (agent, problems) = orchestrator::format::agent::parse(name, name, &bytes);
        assert_eq!(problems, []);
        assert!(
            agent.is_some_and(|a| !a.description.is_empty() && a.personality.contains("# ")),
            "{name}"
        );
        let linted = world.done(&["lint", path.to_str().unwrap(), "--json"]).json();
        assert_eq!(linted["problems"], serde_json::json!([]));
    }
}

#[test]
fn an_agent_gives_personality_tier_and_limits_and_the_task_s_own_fields_win() {
    let world = World::new();
    let agent = "---\ndescription: Looks.\ntier: sonnet\ntimeout: 20m\n---\nYou look twice.\n";
    fs::write(world.root().join("agents/looker.md"), agent).unwrap();
    for task in ["plain", "own"] {
        world.worker(
            task,
            "cp \"$ORCHESTRATOR_PROMPT_FILE\" done.txt; echo $ORCHESTRATOR_TIER > tier.txt",
        );
    }
    let _up = world.up();
    world.save_tasks(&[
        &section("plain", "- **Agent:** looker\n"),
        &section("own", "- **Agent:** looker\n- **Max Model:** haiku\n"),
    ]);
    world.until_archived("plain");
    world.until_archived("own");
    assert_eq!(world.outcomes("plain"), ["sonnet:done"]);
    assert_eq!(world.outcomes("own"), ["haiku:done"]);
    let prompts = world.state_dir().join("attempts/plain/1/prompt.md");
    let prompt = fs::read_to_string(prompts).unwrap();
    assert!(prompt.starts_with("You look twice.\n"), "{prompt}");
}

#[test]
fn an_agent_with_mistakes_holds_up_its_tasks_and_says_where() {
    let world = World::new();
    fs::write(
        world.root().join("agents/odd.md"),
        "---\ntiers: sonnet\n---\nYou.\n",
    )
    .unwrap();
    fs::write(
        world.root().join("agents/far.md"),
        "---\nruntimes: [moon]\n---\nYou.\n",
    )
    .unwrap();
    world.save_tasks(&[
        &section("a", "- **Agent:** odd\n"),
        &section("b", "- **Agent:** far\n"),
    ]);
    let ran = world.run(&["lint", "--json"]);
    assert_eq!(ran.code, 2);
    let json = ran.json();
    let found = |code: &str| {
        let problems = json["problems"].as_array().unwrap();
        problems
            .iter()
            .find(|p| p["code"] == code)
            .cloned()
            .unwrap_or_default()
    };
    let matter = found("bad-front-matter");
    assert_eq!(
        (&matter["file"], &matter["line"]),
        (&"agents/odd.md".into(), &2.into()),
        "{json}"
    );
    assert!(
        matter["help"].as_str().unwrap().contains("did you mean 'tier'?"),
        "{matter}"
    );
    assert_eq!(found("unknown-agent")["message"], "the agent 'odd' has errors");
    assert!(
        found("unknown-runtime")["message"]
            .as_str()
            .unwrap()
            .contains("moon"),
        "{json}"
    );
}

const BROKEN: &str = r#"
if grep -q "^# Medic" "$ORCHESTRATOR_PROMPT_FILE" && [ -f mend ]; then touch done.txt; else touch mend; exit 1; fi
"#;

#[test]
fn the_medic_mends_what_no_tier_brought_to_an_end() {
    let world = World::new();
    configure(&world, "[policy]\n", "[policy]\nmedic = true\n");
    world.worker("broken", BROKEN);
    let _up = world.up();
    world.save_tasks(&[&section("broken", "- **Agent:** builder\n")]);
    world.until_archived("broken");
    let outcomes = world.outcomes("broken");
    assert_eq!(
        outcomes,
        ["haiku:failed", "sonnet:failed", "opus:failed", "opus:done"]
    );
    assert!(
        world
            .reports()
            .contains("🩺 [broken] - the medic looks at it: no tier left"),
        "{}",
        world.reports()
    );
}

#[test]
fn after_the_medic_comes_a_person_and_without_one_at_once() {
    let world = World::new();
    configure(&world, "[policy]\n", "[policy]\nmedic = true\n");
    world.worker("hopeless", "exit 1");
    let up = world.up();
    world.save_tasks(&[&section("hopeless", "")]);
    world.until_state("hopeless", "blocked");
    assert_eq!(world.outcomes("hopeless").len(), 4);
    drop(up);
    fs::remove_file(world.root().join("agents/medic.md")).unwrap();
    let doctor = world.run(&["doctor"]).out;
    assert!(doctor.contains("there is no agents/medic.md"), "{doctor}");
    let _up = world.up();
    world.done(&["retry", "hopeless"]);
    world.until("three more attempts", || {
        (world.outcomes("hopeless").len() == 7).then_some(())
    });
    world.until_state("hopeless", "blocked");
}
