use proptest::prelude::*;

use super::*;
use crate::cli::render::fixtures::look;
use crate::cli::render::text;

fn page(lines: &[&str]) -> String {
    lines.iter().map(|raw| line(raw, &look(80))).collect()
}

#[test]
fn claude_code_reads_like_a_conversation() {
    insta::assert_snapshot!(page(&[
        r#"{"type":"system","subtype":"init","cwd":"/workspace","session_id":"ba0bf27a","tools":["Bash"],"model":"claude-sonnet-4-5"}"#,
        r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"thinking","thinking":"I should look first.","signature":"c3R1Yg=="}]}}"#,
        r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"He"}}}"#,
        r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"Checking it.\n\nThen I fix the audit API, which answers with a 500 for every account that has no entries at all."},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"cargo test -p audit","description":"Run the tests"}}]}}"#,
        r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"running 2 tests\ntest a ... \u001b[31mFAILED\u001b[0m\r\ntest b ... ok"}]}}"#,
        r#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Write","input":{"file_path":"/workspace/src/audit.rs","content":"fn main() {}"}}]}}"#,
        r#"{"type":"user","message":{"content":[{"type":"tool_result","content":[{"type":"text","text":"File created"}]}]}}"#,
        r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":3,"retry_delay_ms":592,"error_status":529,"error":"overloaded"}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"duration_ms":3190,"num_turns":4,"result":"Done.","total_cost_usd":0.0435}"#,
        r#"{"type":"result","subtype":"error_during_execution","is_error":true,"num_turns":0,"total_cost_usd":0,"errors":["No conversation found with session ID: 9"]}"#,
    ]));
}

#[test]
fn the_messages_runtime_reads_the_same() {
    insta::assert_snapshot!(page(&[
        r#"{"type":"init","session":"5f0c","model":"claude-haiku-4-5","resumed":true}"#,
        r#"{"type":"text","text":"I look at the failing test."}"#,
        r#"{"type":"tool_use","name":"edit","input":"{\"command\":\"view\",\"path\":\"src/lib.rs\"}"}"#,
        r#"{"type":"tool_result","name":"edit","is_error":false,"text":"1\n2\n3\n4\n5\n6\n7\n8\n9"}"#,
        r#"{"type":"alive"}"#,
        r#"{"type":"tool_use","name":"finish","input":"not json"}"#,
        r#"{"type":"phase","text":"writing tests"}"#,
        r#"{"type":"retry","reason":"rate limited","status":429,"delay_ms":2000,"rate_limit":{"until":null}}"#,
        r#"{"type":"usage","input_tokens":1,"output_tokens":1}"#,
        r#"{"type":"result","kind":{"rate-limited":{"until":null}},"reason":"429 twice","turns":3,"usage":{"cost_usd":null}}"#,
        r#"{"type":"result","kind":"claimed","reason":"the tests pass","turns":5,"usage":{"cost_usd":0.02}}"#,
    ]));
}

#[test]
fn codex_reads_like_a_conversation() {
    insta::assert_snapshot!(page(&[
        r#"{"type":"thread.started","thread_id":"01a1fcc0"}"#,
        r#"{"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata not found."}}"#,
        r#"{"type":"turn.started"}"#,
        r#"{"type":"item.completed","item":{"id":"item_1","type":"reasoning","text":"I should look first."}}"#,
        r#"{"type":"item.completed","item":{"id":"item_2","type":"agent_message","text":"Checking it."}}"#,
        r#"{"type":"item.started","item":{"id":"item_3","type":"command_execution","command":"/bin/bash -c 'cargo test'","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
        r#"{"type":"item.completed","item":{"id":"item_3","type":"command_execution","command":"/bin/bash -c 'cargo test'","aggregated_output":"test a ... FAILED\n","exit_code":101,"status":"failed"}}"#,
        r#"{"type":"item.started","item":{"id":"item_4","type":"file_change","changes":[{"path":"/workspace/a.rs","kind":"update"},{"path":"/workspace/b.rs","kind":"add"}],"status":"in_progress"}}"#,
        r#"{"type":"item.completed","item":{"id":"item_4","type":"file_change","changes":[{"path":"/workspace/a.rs","kind":"update"},{"path":"/workspace/b.rs","kind":"add"}],"status":"completed"}}"#,
        r#"{"type":"item.completed","item":{"id":"item_5","type":"mcp_tool_call","server":"orchestrator","tool":"heartbeat","arguments":{"pct":3},"result":{"content":[{"type":"text","text":"noted"}]},"error":null,"status":"completed"}}"#,
        r#"{"type":"item.updated","item":{"id":"item_6","type":"todo_list","items":[{"text":"look","completed":true},{"text":"fix","completed":false}]}}"#,
        r#"{"type":"error","message":"Reconnecting... 1/1 (unexpected status 529)"}"#,
        r#"{"type":"turn.failed","error":{"message":"unexpected status 529"}}"#,
        r#"{"type":"turn.completed","usage":{"input_tokens":12000,"output_tokens":100}}"#,
        r#"{"type":"item.completed","item":{"id":"item_7","type":"novelty","text":"x"}}"#,
    ]));
}

#[test]
fn anything_else_is_one_short_line_or_plain_text() {
    insta::assert_snapshot!(page(&[
        "compiling…",
        "\u{1b}[32mok\u{1b}[0m\ttests \u{1b}]0;owned\u{7}pass\r",
        r#"{"type":"novelty","usage":{"input_tokens":3,"output_tokens":4},"note":"x\u001b[2Jy"}"#,
        r#"{"hello":"world"}"#,
        r#"{"type":"text", cut"#,
        "[1,2]",
        "",
    ]));
}

#[test]
fn giant_lines_are_bounded() {
    let text = "word ".repeat(400_000);
    let event = serde_json::json!({"type":"text","text":text}).to_string();
    for raw in [text.as_str(), event.as_str()] {
        assert!(line(raw, &look(80)).lines().count() <= 61);
    }
}

proptest! {
    #[test]
    fn nothing_that_a_worker_writes_moves_the_terminal(raw in any::<String>(), kind in "(text|assistant|user|result|error|x)") {
        let events = [
            raw.clone(),
            serde_json::json!({"type": kind, "text": raw, "subtype": raw, "name": raw}).to_string(),
            serde_json::json!({"type": "item.completed", "item": {"type": "command_execution", "command": raw,
                "aggregated_output": raw, "status": "completed"}}).to_string(),
            serde_json::json!({"type": kind, "message": {"content": [
                {"type": "text", "text": raw}, {"type": "tool_use", "name": raw, "input": {"command": raw}},
                {"type": "tool_result", "content": raw}, {"type": raw}]}}).to_string(),
        ];
        for event in events {
            let page = line(&event, &look(60));
            prop_assert!(!page.chars().any(|c| c != '\n' && c.is_control()));
            prop_assert!(page.lines().all(|l| text::width(l) <= 60), "{page}");
        }
    }
}
