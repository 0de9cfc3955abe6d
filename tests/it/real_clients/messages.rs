//! The `messages` runtime, whose client is this program: in the cell its model speaks to the orchestrator by its shell.

use std::fs;

use orchestrator::scripted_model::{Scenario, Script, Step};
use serde_json::json;

use super::whole;

fn lines(base_url: &str) -> Option<String> {
    Some(format!(
        "kind = \"messages\"\nbase_url = {base_url:?}\napi_key = \"sk-ant-scripted\"\n"
    ))
}

fn finish(outcome: &str, reason: &str) -> Step {
    Step::call("finish", json!({"outcome": outcome, "reason": reason}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_a_person_and_its_answer_the_session() {
    let ask = Step::shell(&format!("orchestrator agent ask '{}'", whole::QUESTION));
    let end = |said: &str| finish("done", said);
    whole::a_question_reaches_a_person_and_its_answer_the_session(lines, ask, end).await;
}

/// The criteria come back with how to show them, and are shown in the same session.
#[tokio::test(flavor = "multi_thread")]
async fn a_criterion_without_evidence_comes_back_and_is_shown() {
    let work = Scenario::new("work")
        .marked("# Task fix-add")
        .step(Step::shell(&format!("{}; {}", whole::FIX, whole::LOG)))
        .step(finish("done", "It adds, believe me."))
        .step(Step::shell(
            "orchestrator agent criterion 1 'check Tests, calc.sh:1'",
        ))
        .step(finish("done", "It adds, look there."));
    let Some((world, model)) = whole::instance(lines, Script::new().scenario(work)).await else {
        return;
    };
    let path = world.root().join("orchestrator.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("[policy]\n", "[policy]\nreworks = 1\n")).unwrap();
    let criteria = "#### Acceptance Criteria\n- [ ] 2 and 2 make 4\n\n#### Validation";
    world.edit(|text| text.replace("#### Validation", criteria));
    let ran = world.done(&["tick", "--wait"]);
    let task = world.task("fix-add");
    let progress = fs::read_to_string(world.root().join("progress/fix-add.md")).unwrap();
    assert_eq!(task["state"], "completed", "{task:#}\n{}\n{progress}", ran.out);
    assert_eq!(world.outcomes("fix-add"), ["haiku:gate-failed", "haiku:done"]);
    let reason = task["attempts"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("1 of") && reason.contains("criteria (failed)"),
        "{reason}"
    );
    let shown = "- [x] 1. 2 and 2 make 4 - evidence: check Tests, calc.sh:1";
    assert!(progress.contains(shown), "{progress}");
    let asked = model.requests();
    let told = asked.iter().map(|request| request.body.to_string());
    assert!(
        told.clone()
            .any(|text| text.contains("nothing that can be looked up") || text.contains("is not ticked"))
    );
    assert!(
        told.clone()
            .any(|text| text.contains("- 1. 2 and 2 make 4") && text.contains("Words alone are none"))
    );
}

/// Seen to fail where the model itself was to `git merge`: the history is read-only in the cell.
#[tokio::test(flavor = "multi_thread")]
async fn a_sub_task_is_made_waited_for_and_brought_into_the_work() {
    let spawn = "orchestrator agent spawn --id docs --title Docs --description 'Write it.' --validation 'test -f doc.md'";
    let part = Scenario::new("part")
        .marked("# Task fix-add.docs")
        .step(Step::shell(
            "echo text > doc.md; orchestrator agent log Wrote it.",
        ))
        .step(finish("done", "Written."));
    let whole_task = Scenario::new("whole")
        .marked("# Task fix-add")
        .step(Step::shell(spawn))
        .step(finish("continue", "It waits."))
        .step(Step::shell(&format!(
            "test -f doc.md && {}; {}",
            whole::FIX,
            whole::LOG
        )))
        .step(finish("done", "It adds now."));
    let script = Script::new().scenario(part).scenario(whole_task);
    let Some((world, model)) = whole::instance(lines, script).await else {
        return;
    };
    let ran = world.done(&["tick", "--wait"]);
    let task = world.task("fix-add");
    let progress = fs::read_to_string(world.root().join("progress/fix-add.md")).unwrap();
    assert_eq!(task["state"], "completed", "{task:#}\n{}\n{progress}", ran.out);
    assert_eq!(world.outcomes("fix-add"), ["haiku:continue", "haiku:done"]);
    assert_eq!(world.outcomes("fix-add.docs"), ["haiku:done"]);
    let files = world.git(
        &world.path("calc"),
        &["ls-tree", "--name-only", "orchestrator/fix-add"],
    );
    assert!(files.contains("doc.md") && files.contains("ran.txt"), "{files}");
    let told = model.requests().pop().unwrap().body.to_string();
    assert!(
        told.contains("completed, commit ") && told.contains("merged into yours"),
        "{told}"
    );
}
