use super::*;
use proptest::prelude::*;
use serde_json::json;

fn fold(events: &[Value]) -> (Vec<Step>, Assembled) {
    let mut assembly = Assembly::default();
    let steps = events
        .iter()
        .map(|event| assembly.push(serde_json::from_value(event.clone()).expect("an event")))
        .collect();
    (steps, assembly.finish())
}

#[test]
fn a_streamed_reply_becomes_whole() {
    let (steps, reply) = fold(&[
        json!({"type":"message_start","message":{"id":"m","model":"haiku","content":[],"stop_reason":null,
            "usage":{"input_tokens":7,"output_tokens":1,"cache_read_input_tokens":3}}}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"ping"}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grü"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ße"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"bash","input":{}}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"comm"}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"and\":\"ls\"}"}}),
        json!({"type":"an_event_of_the_future","x":1}),
        json!({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":42}}),
        json!({"type":"message_stop"}),
    ]);
    assert_eq!(steps.last(), Some(&Step::Whole));
    assert!(steps[..steps.len() - 1].iter().all(|step| *step == Step::More));
    assert_eq!(reply.model, "haiku");
    assert_eq!(reply.stop_reason, Some(StopReason::ToolUse));
    assert_eq!(reply.usage.output_tokens, Some(42));
    assert_eq!(reply.usage.input_tokens, Some(7));
    assert_eq!(reply.usage.cache_read_input_tokens, Some(3));
    assert_eq!(
        serde_json::to_value(&reply.message).unwrap(),
        json!({"role":"assistant","content":[{"type":"text","text":"Grüße"},
            {"type":"tool_use","id":"t1","name":"bash","input":{"command":"ls"}}]})
    );
    assert!(reply.malformed.is_empty());
}

#[test]
fn broken_tool_inputs_are_named_and_emptied() {
    for (pieces, fault) in [
        (vec!["{\"command\": \"ls"], "EOF"),
        (vec!["not json"], "expected"),
        (vec!["[1,2]"], "no JSON object"),
    ] {
        let mut events = vec![
            json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"bash","input":{}}}),
        ];
        events.extend(pieces.iter().map(|piece| {
            json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":piece}})
        }));
        let (_, reply) = fold(&events);
        assert!(reply.malformed["t"].contains(fault), "{:?}", reply.malformed);
        assert_eq!(
            serde_json::to_value(&reply.message.content[0]).unwrap()["input"],
            json!({})
        );
    }
}

#[test]
fn unknown_blocks_and_reasoning_go_back_verbatim() {
    let strange = json!({"type":"redacted_thinking","data":"xyz"});
    let (_, reply) = fold(&[
        json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}),
        json!({"type":"content_block_start","index":1,"content_block":strange}),
    ]);
    assert_eq!(
        serde_json::to_value(&reply.message.content).unwrap(),
        json!([{"type":"thinking","thinking":"hm","signature":"sig"}, strange])
    );
}

#[test]
fn an_error_event_ends_the_reply() {
    let (steps, _) = fold(&[json!({"type":"error","error":{"type":"overloaded_error","message":"busy"}})]);
    let error = ApiError {
        kind: "overloaded_error".into(),
        message: "busy".into(),
    };
    assert_eq!(steps, [Step::Failed(error)]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let block = prop_oneof![
        Just(Block::text("x")),
        Just(Block::Other(json!({"type":"odd"}))),
        "[a-c]".prop_map(|id| Block::Known(KnownBlock::ToolUse {
            id,
            name: "n".into(),
            input: json!({})
        })),
    ];
    let delta = prop_oneof![
        ".*".prop_map(|text| Delta::TextDelta { text }),
        ".*".prop_map(|partial_json| Delta::InputJsonDelta { partial_json }),
        ".*".prop_map(|signature| Delta::SignatureDelta { signature }),
        Just(Delta::Unknown),
    ];
    prop_oneof![
        (0usize..4, block)
            .prop_map(|(index, content_block)| Event::ContentBlockStart { index, content_block }),
        (any::<usize>(), delta.clone()).prop_map(|(index, delta)| Event::ContentBlockDelta { index, delta }),
        (0usize..4, delta).prop_map(|(index, delta)| Event::ContentBlockDelta { index, delta }),
        Just(Event::Unknown),
        Just(Event::MessageStop),
    ]
}

proptest! {
    #[test]
    fn any_order_of_events_gives_a_history_that_the_api_takes(events in prop::collection::vec(any_event(), 0..40)) {
        let mut assembly = Assembly::default();
        for event in events {
            assembly.push(event);
        }
        for block in assembly.finish().message.content {
            let value = serde_json::to_value(&block).unwrap();
            prop_assert!(value["type"] != "tool_use" || value["input"].is_object());
            prop_assert!(value["type"] != "text" || !value["text"].as_str().unwrap().trim().is_empty());
        }
    }

    #[test]
    fn no_text_panics_the_parser(text in ".*") {
        let _ = serde_json::from_str::<Event>(&text);
        let _ = serde_json::from_str::<Reply>(&text);
    }
}
