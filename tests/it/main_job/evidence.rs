//! Evidence on the whole way: for criteria, for people to look at, and the plan before the first attempt.

use std::fs;

use super::world::{Ran, World, section};

const JOB: &str = "---\ndescription: Show it\nevidence:\n  - name: home page\n    run: mkdir -p shots && cp done.txt shots/home.txt\n    files: [\"shots/*.txt\"]\n  - name: bench\n    run: echo 17 ns\n---\n{{ task.description }}\n";

fn refused(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.err.contains(words) && ran.out.is_empty(), "{ran:?}");
}

#[test]
fn evidence_is_kept_shown_and_told() {
    let world = World::new();
    fs::write(world.root().join("jobs/show.md"), JOB).unwrap();
    world.save_tasks(&[&section("all", "- **Job:** show\n")]);
    let ran = world.done(&["tick", "--wait"]);
    assert_eq!(world.task("all")["state"], "completed", "{ran:?}");
    let told = "Evidence: home page (shots/home.txt); bench (bench.txt)";
    assert!(
        ran.out.contains(told) || world.reports().contains(told),
        "{ran:?}"
    );

    let list = world.done(&["evidence", "all", "--json"]).json();
    assert_eq!((&list["version"], &list["id"]), (&1.into(), &"all".into()));
    assert_eq!(list["commit"], world.task("all")["gate"]["commit"]);
    let home = &list["evidence"][0];
    assert_eq!(
        (&home["name"], &home["verdict"]),
        (&"home page".into(), &"passed".into())
    );
    let file = &home["files"][0];
    assert_eq!(
        (&file["path"], &file["kind"], &file["committed"]),
        (&"shots/home.txt".into(), &"text/plain".into(), &false.into())
    );
    let stored = fs::read(file["stored"].as_str().unwrap()).unwrap();
    assert_eq!(stored.len() as u64, file["bytes"].as_u64().unwrap());
    assert_eq!(
        world.done(&["show", "all", "--json"]).json()["evidence"],
        list["evidence"]
    );
    let page = world.done(&["show", "all"]).out;
    assert!(
        page.contains("Evidence") && page.contains("shots/home.txt"),
        "{page}"
    );
    assert!(world.done(&["evidence", "all"]).out.contains("bench.txt"));
}

#[test]
fn evidence_is_handed_out() {
    let world = World::new();
    fs::write(world.root().join("jobs/show.md"), JOB).unwrap();
    world.save_tasks(&[
        &section("all", "- **Job:** show\n"),
        &section("one", "- **Job:** show\n- **Evidence:** bench, done.txt\n"),
        &section("none", ""),
    ]);
    world.done(&["tick", "--wait"]);
    let out = world.path("out");
    let copied = world.done(&["evidence", "all", "home-page", "--to", out.to_str().unwrap()]);
    assert!(copied.out.ends_with("home-page/shots/home.txt\n"), "{copied:?}");
    let text = fs::read_to_string(out.join("home-page/shots/home.txt")).unwrap();
    assert!(text.starts_with("attempt 1\n"), "{text}");
    assert!(!out.join("bench").exists());
    let both = world
        .done(&["evidence", "one", "--to", out.to_str().unwrap(), "--json"])
        .json();
    assert_eq!(both["copied"].as_array().unwrap().len(), 2);
    assert_eq!(
        fs::read_to_string(out.join("bench/bench.txt")).unwrap(),
        "17 ns\n"
    );
    assert_eq!(
        fs::read_to_string(out.join("done-txt/done.txt")).unwrap(),
        "attempt 1\n"
    );

    refused(&world.run(&["evidence", "none"]), 3, "kept no evidence");
    refused(
        &world.run(&["evidence", "all", "coverage"]),
        3,
        "there are: home page, bench",
    );
    refused(&world.run(&["evidence", "nobody"]), 3, "no task 'nobody'");
}

#[test]
fn evidence_that_is_not_made_sends_the_work_back() {
    let world = World::new();
    world.worker("t", "echo x > done.txt; [ \"$ORCHESTRATOR_ATTEMPT\" = 1 ] || { mkdir -p out; echo made > out/report.txt; }");
    world.save_tasks(&[
        &section("t", "- **Evidence:** out/*.txt\n"),
        &section("bad", "- **Evidence:** screenshots\n"),
    ]);
    world.done(&["tick", "--wait"]);
    let task = world.task("t");
    assert_eq!(task["state"], "completed", "{task:#}");
    assert_eq!(world.outcomes("t"), ["haiku:gate-failed", "sonnet:done"]);
    assert!(
        task["attempts"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("evidence: out/*.txt (failed)"),
        "{task:#}"
    );
    let list = world.done(&["evidence", "t", "--json"]).json();
    assert_eq!(
        list["evidence"][0]["files"][0]["committed"], true,
        "nothing in the gate made it"
    );
    let linted = world.run(&["lint", "--json"]).json();
    let problem = &linted["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["severity"]),
        (&"unknown-evidence".into(), &"error".into())
    );
    assert!(world.task("bad").is_null() || world.task("bad")["state"] == "pending");
}

/// A plain command cannot be asked to write evidence; a person may still want it.
#[test]
fn criteria_of_a_plain_command_rest_on_its_checks() {
    let criteria = "\n#### Acceptance Criteria\n- [ ] it is done\n- [ ] it is fast\n\n";
    for (config, worker, state) in [
        ("", "date > done.txt", "completed"),
        ("criteria = \"always\"\n", "date > done.txt", "blocked"),
        (
            "criteria = \"always\"\n",
            "date > done.txt; orchestrator agent criterion 1 done.txt:1; orchestrator agent criterion 2 check work",
            "completed",
        ),
        ("criteria = \"never\"\n", "date > done.txt", "completed"),
    ] {
        let world = World::new();
        let path = world.root().join("orchestrator.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[gate]\n", &format!("[gate]\n{config}"))).unwrap();
        world.worker("t", worker);
        world.save_tasks(&[&format!("{}{criteria}", section("t", ""))]);
        world.done(&["tick", "--wait"]);
        let task = world.task("t");
        assert_eq!(task["state"], state, "{config}: {task:#}");
        let show = world.done(&["show", "t", "--json"]).json();
        let checks = show["task"]["gate"]["checks"].as_array().unwrap();
        let own = checks.iter().find(|c| c["name"] == "criteria");
        assert_eq!(own.is_none(), config.contains("never"), "{checks:#?}");
        if state == "blocked" {
            assert!(
                task["blocked_reason"].as_str().unwrap().contains("1. it is done"),
                "{task:#}"
            );
            world.done(&["approve", "t"]);
            assert_eq!(world.task("t")["state"], "completed");
        }
        let progress = fs::read_to_string(world.root().join("progress/t.md")).unwrap();
        assert_eq!(
            progress.contains("2. it is fast"),
            !config.contains("never"),
            "{progress}"
        );
    }
}

#[test]
fn documentation_is_asked_for_where_the_job_says_so() {
    let world = World::new();
    fs::write(
        world.root().join("jobs/docs.md"),
        "---\ndocs: required\n---\n{{ task.description }}\n",
    )
    .unwrap();
    let waive = "echo x > done.txt; printf 'Docs: not needed - an inner matter only\\n' >> \"$ORCHESTRATOR_PROGRESS_FILE\"";
    world.worker("waived", waive);
    world.worker("written", "echo x > done.txt; echo x > README.md");
    let tasks =
        ["bare", "waived", "written"].map(|id| section(id, "- **Job:** docs\n- **Max Model:** haiku\n"));
    world.save_tasks(&tasks.each_ref().map(String::as_str));
    world.done(&["tick", "--wait"]);
    for (id, state) in [
        ("bare", "blocked"),
        ("waived", "completed"),
        ("written", "completed"),
    ] {
        let task = world.task(id);
        assert_eq!(task["state"], state, "{task:#}");
    }
    assert!(world.outcomes("bare").iter().all(|o| o == "haiku:gate-failed"));
}

#[test]
fn an_unplanned_task_waits_says_what_it_lacks_and_goes_on_by_itself() {
    let world = World::new();
    fs::write(
        world.root().join("jobs/planned.md"),
        "---\nplan_gate: true\n---\n{{ task.description }}\n",
    )
    .unwrap();
    let _up = world.up();
    world.save_tasks(&[&section("free", ""), &section("t", "- **Job:** planned\n")]);
    world.until_archived("free");
    let task = world.until_task("t", "waits for a person", |t| t["waiting"]["for"] == "person");
    assert_eq!((&task["state"], &task["attempt"]), (&"pending".into(), &0.into()));
    let why = world.done(&["why", "t"]).out;
    for lack in ["a goal", "a scope", "acceptance criteria"] {
        assert!(why.contains(lack), "{lack}: {why}");
    }
    assert!(world.done(&["plan"]).out.contains("the plan lacks"));
    assert_eq!(world.field("t", "Status").unwrap(), "pending");
    world.edit(|text| {
        text.replace(
            "- **Job:** planned\n",
            "- **Job:** planned\n- **Scope:** done.txt alone\n",
        )
        .replace(
            "### t: Do t\n- **Description:** Do it.",
            "### t: Do t\n- **Description:** Write the file done.txt anew.",
        )
    });
    world.until("it lacks less", || {
        let why = world.done(&["why", "t"]).out;
        (why.contains("acceptance criteria") && !why.contains("a scope")).then_some(())
    });
    world.edit(|text| {
        text.replace(
            "\n## Archived",
            "\n#### Acceptance Criteria\n- [ ] done.txt is there\n\n## Archived",
        )
    });
    world.until_archived("t");
    assert_eq!(
        world.outcomes("t"),
        ["haiku:done"],
        "no attempt was spent on waiting"
    );
}
