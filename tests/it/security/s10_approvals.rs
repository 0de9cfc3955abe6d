//! S10: what is approved is what was seen, and nothing is hidden from whoever approves.

use crate::main_job::world::{World, section};

/// Where the approval that waits is bound to.
fn commit(world: &World) -> String {
    let task = world.until_task("t", "waits for approval", |task| {
        task["state"] == "blocked" && task["gate"]["commit"].is_string()
    });
    task["gate"]["commit"].as_str().unwrap().to_owned()
}

/// Seen to fail with the filter on `seen` taken out of `decide::person::approve`: the second commit is accepted unseen.
#[test]
fn an_approval_holds_for_the_commit_that_was_seen_and_no_other() {
    let world = World::new();
    let reason = "nothing to do: ~/.aws/credentials, /etc/shadow and sk-ant-looks-like-a-key are read by deploy.sh already";
    let script = format!(
        "echo \"$ORCHESTRATOR_ATTEMPT\" > done.txt; git add -A; git -c user.name=w -c user.email=w@w commit -qm w\n\
         echo '{{\"outcome\":\"no_change_needed\",\"reason\":\"{reason}\"}}' > \"$ORCHESTRATOR_OUTCOME_FILE\"\n"
    );
    world.worker("t", &script);
    world.save_tasks(&[&section("t", "")]);
    let _up = world.up();
    let first = commit(&world);
    for page in [world.done(&["show", "t"]).out, world.done(&["why", "t"]).out] {
        let words: Vec<&str> = page.split_whitespace().collect();
        assert!(
            words.join(" ").contains(reason),
            "redaction hides known secrets, never what looks like one: {page}"
        );
    }
    for wrong in ["deadbeef", &first[..6], ""] {
        assert_eq!(
            world.run(&["approve", "t", "--commit", wrong]).code,
            4,
            "{wrong:?}"
        );
    }
    world.done(&["reject", "t", "--comment", "look again"]);
    let second = world.until("another commit waits", || {
        Some(commit(&world)).filter(|c| *c != first)
    });
    let refused = world.run(&["approve", "t", "--commit", &first]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains(&second), "{refused:?}");
    world.done(&["approve", "t", "--commit", &second[..12]]);
    world.until_state("t", "completed");
}
