//! The agent's questions.

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::acp::Permission;
use serde_json::{Value, json};

use super::rig::{Ran, after_prompt, stop};

fn question(id: u64, kind: &str, path: &str, options: Value) -> [Value; 2] {
    let call = json!({"toolCallId":id.to_string(),"kind":kind,"title":"it","rawInput":{"n":id},"locations":[{"path":path}]});
    [
        json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","id":id,"method":"session/request_permission",
            "params":{"sessionId":"s1","toolCall":call,"options":options}}}),
        json!({"dir":"client->agent","msg":{"jsonrpc":"2.0","id":id,"result":{}}}),
    ]
}

fn all_options() -> Value {
    json!([
        {"optionId":"always","kind":"allow_always","name":"Always"},
        {"optionId":"yes","kind":"allow_once","name":"Yes"},
        {"optionId":"never","kind":"reject_always","name":"Never"},
        {"optionId":"no","kind":"reject_once","name":"No"},
    ])
}

fn chosen(ran: &Ran) -> Vec<String> {
    let word = |answer: &&Value| {
        let outcome = &answer["outcome"];
        outcome["optionId"]
            .as_str()
            .or(outcome["outcome"].as_str())
            .unwrap()
            .to_owned()
    };
    ran.answers().iter().map(word).collect()
}

/// A read, an edit in the workspace, one outside of it, a command.
fn asked(permission: Permission, contained: bool) -> Vec<String> {
    let places = [
        ("read", "/etc/hosts"),
        ("edit", "{workspace}/a"),
        ("edit", "/etc/hosts"),
        ("execute", "{workspace}"),
    ];
    let asked = places.iter().zip(10..);
    let asked = asked.flat_map(|((kind, path), id)| question(id, kind, path, all_options()));
    let steps: Vec<Value> = asked.chain([stop("end_turn")]).collect();
    chosen(&after_prompt(&steps).permission(permission, contained).run())
}

#[test]
fn what_is_asked_is_answered_by_the_policy_and_never_for_good() {
    let rows = [
        (Permission::Contained, true, ["yes", "yes", "yes", "yes"]),
        (Permission::Contained, false, ["yes", "no", "no", "no"]),
        (Permission::All, false, ["yes", "yes", "yes", "yes"]),
        (Permission::Edit, false, ["yes", "yes", "no", "no"]),
        (Permission::ReadOnly, true, ["yes", "no", "no", "no"]),
        (Permission::Deny, true, ["no", "no", "no", "no"]),
    ];
    for (permission, contained, expected) in rows {
        assert_eq!(asked(permission, contained), expected, "{permission:?}");
    }
}

#[test]
fn where_there_is_only_always_there_is_no_answer() {
    let only = json!([{"optionId":"always","kind":"allow_always","name":"Always"}]);
    let [asked, answered] = question(10, "execute", "/x", only);
    let ran = after_prompt(&[asked, answered, stop("end_turn")])
        .permission(Permission::All, true)
        .run();
    assert_eq!(chosen(&ran), ["cancelled"]);
    assert_eq!(ran.of_type("denied").len(), 1);
    assert_eq!(ran.kind(), EndKind::Claimed);
}
