//! The Messages protocol, from the provider's side: reading a request, writing a reply. Pure.

use serde_json::{Value, json};

use super::ask::Ask;
use super::fault::Refusal;
use super::protocol::pieces;
use super::script::Step;

/// Reads a request; says what is wrong with one that is none.
pub fn read(body: &Value) -> Result<Ask, &'static str> {
    let model = body["model"].as_str().ok_or("model: field required")?;
    let messages = body["messages"].as_array().ok_or("messages: field required")?;
    if !body["max_tokens"].is_u64() {
        return Err("max_tokens: field required");
    }
    let first = messages.first().filter(|message| message["role"] == "user");
    let first = first.ok_or("messages: first message must use the \"user\" role")?;
    check_tool_results(messages)?;
    Ok(Ask {
        model: model.to_owned(),
        opening: format!("{}\n{}", text_of(&body["system"]), text_of(&first["content"])),
        turns: messages
            .iter()
            .filter(|message| message["role"] == "assistant")
            .count(),
        streams: body["stream"] == true,
        tools: tool_names(&body["tools"]),
        namespaces: Vec::new(),
    })
}

fn tool_names(tools: &Value) -> Vec<String> {
    let tools = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The provider's rule on which clients stumble most: each call is answered in the very next message.
fn check_tool_results(messages: &[Value]) -> Result<(), &'static str> {
    for (at, message) in messages.iter().enumerate() {
        let next = messages
            .get(at + 1)
            .map(|next| blocks(next, "tool_result", "tool_use_id"))
            .unwrap_or_default();
        let unanswered = blocks(message, "tool_use", "id")
            .into_iter()
            .any(|id| !next.contains(&id));
        if unanswered && message["role"] == "assistant" {
            return Err("messages: `tool_use` ids were found without `tool_result` blocks immediately after");
        }
    }
    Ok(())
}

fn blocks<'a>(message: &'a Value, kind: &str, field: &str) -> Vec<&'a str> {
    let content = message["content"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    content
        .iter()
        .filter(|block| block["type"] == kind)
        .filter_map(|block| block[field].as_str())
        .collect()
}

/// Text that is either a string or blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// The body of an error.
pub fn error(refusal: &Refusal) -> Value {
    let mut error = json!({"type": refusal.word, "message": refusal.message});
    for (name, value) in &refusal.fields {
        error[name] = value.clone();
    }
    json!({"type": "error", "error": error, "request_id": "req_scripted"})
}

/// The event that breaks a stream off.
pub fn error_event(word: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": word, "message": message}, "request_id": "req_scripted"})
}

/// The reply in one piece.
pub fn whole(step: &Step, ask: &Ask) -> Value {
    let texts = step
        .texts
        .iter()
        .map(|text| json!({"type": "text", "text": text}));
    let calls = step.calls.iter().enumerate().map(|(at, call)| {
        let (name, input) = call.as_declared(ask);
        let input: Value = serde_json::from_str(&input).unwrap_or_else(|_| Value::from(input.clone()));
        json!({"type": "tool_use", "id": call_id(ask, at), "name": name, "input": input})
    });
    let mut message = skeleton(step, ask);
    message["content"] = texts.chain(calls).collect();
    message["stop_reason"] = step.stop_word().into();
    message["usage"]["output_tokens"] = step.tokens.output.into();
    message
}

/// The reply as the events of a stream.
pub fn events(step: &Step, ask: &Ask) -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": skeleton(step, ask)}),
        json!({"type": "ping"}),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        let delta = |delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
        events.extend(deltas.into_iter().map(delta));
        events.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    };
    for text in &step.texts {
        let delta = |piece| json!({"type": "text_delta", "text": piece});
        block(
            json!({"type": "text", "text": ""}),
            pieces(text).map(delta).collect(),
        );
    }
    for (at, call) in step.calls.iter().enumerate() {
        let (name, input) = call.as_declared(ask);
        block(
            json!({"type": "tool_use", "id": call_id(ask, at), "name": name, "input": {}}),
            input_deltas(&input),
        );
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": step.stop_word(), "stop_sequence": null},
        "usage": {"output_tokens": step.tokens.output}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

fn input_deltas(input: &str) -> Vec<Value> {
    let delta = |piece: &str| json!({"type": "input_json_delta", "partial_json": piece});
    std::iter::once(delta(""))
        .chain(pieces(input).map(delta))
        .collect()
}

fn skeleton(step: &Step, ask: &Ask) -> Value {
    let tokens = &step.tokens;
    json!({
        "id": format!("msg_scripted_{}", ask.turns), "type": "message", "role": "assistant", "model": ask.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": tokens.input, "output_tokens": 1,
            "cache_creation_input_tokens": tokens.cache_write, "cache_read_input_tokens": tokens.cache_read},
    })
}

fn call_id(ask: &Ask, at: usize) -> String {
    format!("toolu_scripted_{}_{at}", ask.turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_or_refused_like_the_provider_does() {
        let user = json!({"role":"user","content":"do [x]"});
        let call = json!({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]});
        let answer =
            json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"ok"}]});
        let request = |messages: &[&Value]| {
            json!({"model":"m","max_tokens":1,"tools":[{"name":"bash"}],
            "system":[{"type":"text","text":"S"}],"messages":messages})
        };
        let ask = read(&request(&[&user, &call, &answer])).unwrap();
        assert_eq!(
            ask,
            Ask {
                model: "m".into(),
                opening: "S\ndo [x]".into(),
                turns: 1,
                streams: false,
                tools: vec!["bash".into()],
                namespaces: Vec::new(),
            }
        );
        for (body, word) in [
            (request(&[&user, &call]), "tool_use"),
            (request(&[&user, &call, &user]), "tool_use"),
            (request(&[]), "first message"),
            (request(&[&call, &answer]), "first message"),
            (json!({"messages":[]}), "model"),
            (json!({"model":"m","messages":[user]}), "max_tokens"),
            (json!(null), "model"),
        ] {
            assert!(read(&body).unwrap_err().contains(word));
        }
    }
}
