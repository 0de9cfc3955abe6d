use super::*;
use crate::runtime::acp::line::Line;
use serde_json::json;

struct Scene {
    listener: Listener<Vec<u8>>,
    stopped: watch::Receiver<Option<Why>>,
}

fn scene(budget_usd: Option<f64>) -> Scene {
    let (stop, stopped) = watch::channel(None);
    let rules = Rules {
        permission: Permission::Deny,
        contained: true,
        workspace: "/w".into(),
        budget_usd,
    };
    let listener = Listener::new(Voice::new(Vec::new()), rules, Spend::new(None), stop);
    Scene { listener, stopped }
}

impl Scene {
    fn hear(&mut self, update: Value) {
        let params = json!({"sessionId":"s","update":update});
        let message = UntypedMessage::new("session/update", params).unwrap();
        self.listener.hear(message);
    }

    fn lines(&self) -> Vec<Line> {
        let text = String::from_utf8(self.listener.voice.written().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line| *line != Line::Alive).collect()
    }
}

fn chunk(kind: &str, message: &str, text: &str) -> Value {
    json!({"sessionUpdate":kind,"content":{"type":"text","text":text},"messageId":message})
}

fn text(text: &str) -> Line {
    Line::Text { text: text.into() }
}

#[test]
fn pieces_are_joined_and_numbers_do_not_cut_a_sentence() {
    let mut scene = scene(None);
    scene.hear(chunk("agent_thought_chunk", "1", "Hm."));
    for piece in ["", "one ", "sentence"] {
        scene.hear(chunk("agent_message_chunk", "1", piece));
        scene.hear(json!({"sessionUpdate":"usage_update","used":1,"size":2}));
    }
    scene.hear(chunk("agent_message_chunk", "2", "another"));
    assert_eq!(scene.listener.said(), "another");
    scene.listener.say(&Line::Alive);
    let texts: Vec<Line> = scene
        .lines()
        .into_iter()
        .filter(|line| !matches!(line, Line::Usage(_)))
        .collect();
    let thought = Line::Thought { text: "Hm.".into() };
    assert_eq!(texts, [thought, text("one sentence"), text("another")]);
    let usages = scene.lines().len() - texts.len();
    assert_eq!(usages, 1, "the same numbers are told once");
}

#[test]
fn a_text_without_end_is_told_in_parts() {
    let mut scene = scene(None);
    for _ in 0..100 {
        scene.hear(chunk("agent_message_chunk", "1", &"x".repeat(100)));
    }
    assert!(scene.lines().len() >= 3);
}

#[test]
fn the_past_is_no_news() {
    let mut scene = scene(None);
    scene.listener.replay(true);
    scene.hear(chunk("agent_message_chunk", "1", "old"));
    scene.hear(json!({"sessionUpdate":"tool_call","toolCallId":"1","title":"t","status":"completed"}));
    scene.listener.replay(false);
    scene.listener.say(&Line::Alive);
    assert_eq!(scene.lines(), []);
}

#[test]
fn a_budget_that_is_used_up_asks_for_a_stop() {
    let mut scene = scene(Some(1.0));
    let cost = |amount: f64| json!({"sessionUpdate":"usage_update","used":1,"size":2,"cost":{"amount":amount,"currency":"USD"}});
    scene.hear(cost(0.9));
    assert_eq!(*scene.stopped.borrow(), None);
    scene.hear(cost(1.0));
    assert_eq!(*scene.stopped.borrow_and_update(), Some(Why::Budget));
}

#[test]
fn a_question_after_the_cancel_is_cancelled_and_a_refusal_is_told() {
    let mut scene = scene(None);
    let ask = || -> RequestPermissionRequest {
        serde_json::from_value(
            json!({"sessionId":"s","toolCall":{"toolCallId":"1","kind":"execute","title":"ls"},
            "options":[{"optionId":"n","kind":"reject_once","name":"No"}]}),
        )
        .unwrap()
    };
    let refused = serde_json::to_value(scene.listener.answer(ask())).unwrap();
    assert_eq!(refused["outcome"]["optionId"], "n");
    assert_eq!(scene.listener.refused(), ["execute"]);
    scene.listener.cancel();
    let cancelled = serde_json::to_value(scene.listener.answer(ask())).unwrap();
    assert_eq!(cancelled["outcome"]["outcome"], "cancelled");
    assert_eq!(scene.lines().len(), 2, "the call and its refusal");
}

#[test]
fn the_retries_of_claude_code_are_told_as_its_adapter_hands_them_on() {
    let mut scene = scene(None);
    let mut hand_on = |message: Value| {
        let params = json!({"sessionId":"s","message":message});
        let message = UntypedMessage::new("_claude/sdkMessage", params).unwrap();
        scene.listener.hear(message);
    };
    hand_on(
        json!({"type":"system","subtype":"api_retry","attempt":1,"max_retries":1,"retry_delay_ms":60_000.5,
        "error_status":429,"error":"rate_limit"}),
    );
    hand_on(json!({"type":"system","subtype":"other"}));
    hand_on(json!(7));
    let told = Line::Retrying {
        attempt: 1,
        delay_ms: 60_000,
        status: Some(429),
        error: "rate_limit".into(),
        said: String::new(),
    };
    assert_eq!(scene.lines(), [told]);
}
