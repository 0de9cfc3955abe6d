//! The Responses protocol, from the provider's side: reading a request, writing a reply. Pure.
//!
//! A conversation is a flat list of items here: what the model made (messages, reasoning, calls) and what it was
//! given (messages, outputs of calls). A turn of the model is a run of items that it made.

use serde_json::{Value, json};

use super::ask::Ask;
use super::fault::Refusal;
use super::protocol::pieces;
use super::script::Step;

/// Reads a request; says what is wrong with one that is none.
pub fn read(body: &Value) -> Result<Ask, &'static str> {
    let model = body["model"]
        .as_str()
        .ok_or("Missing required parameter: 'model'.")?;
    let items = match &body["input"] {
        Value::String(text) => vec![json!({"role": "user", "content": text})],
        Value::Array(items) => items.clone(),
        _ => return Err("Missing required parameter: 'input'."),
    };
    check_outputs(&items)?;
    let opening = items.iter().take_while(|item| !is_of_model(item));
    let texts = opening.map(|item| text_of(&item["content"]));
    Ok(Ask {
        model: model.to_owned(),
        opening: std::iter::once(text_of(&body["instructions"]))
            .chain(texts)
            .collect::<Vec<_>>()
            .join("\n"),
        turns: turns(&items),
        streams: body["stream"] == true,
        tools: tool_names(&body["tools"]),
        namespaces: namespaces(&body["tools"])
            .map(|(name, _)| name.to_owned())
            .collect(),
    })
}

/// Whether the model made this item.
fn is_of_model(item: &Value) -> bool {
    match item["type"].as_str() {
        Some("message") | None => item["role"] == "assistant",
        Some("reasoning") => true,
        Some(kind) => kind.ends_with("_call"),
    }
}

fn turns(items: &[Value]) -> usize {
    let made: Vec<bool> = items.iter().map(is_of_model).collect();
    let before = std::iter::once(&false).chain(&made);
    made.iter()
        .zip(before)
        .filter(|(made, before)| **made && !**before)
        .count()
}

/// The provider's rule on which clients stumble most: each call has its output.
fn check_outputs(items: &[Value]) -> Result<(), &'static str> {
    let answered = |id: &Value| {
        items
            .iter()
            .any(|item| item["type"] == "function_call_output" && item["call_id"] == *id)
    };
    let unanswered = |item: &&Value| item["type"] == "function_call" && !answered(&item["call_id"]);
    match items.iter().find(unanswered) {
        Some(_) => Err("No tool output found for a function call of the input."),
        None => Ok(()),
    }
}

fn tool_names(tools: &Value) -> Vec<String> {
    let of_namespace = |(space, tools)| names(tools).map(move |(name, _)| format!("{space}__{name}"));
    let plain = names(tools)
        .filter(|(_, tool)| tool["type"] != "namespace")
        .map(|(name, _)| name.to_owned());
    plain.chain(namespaces(tools).flat_map(of_namespace)).collect()
}

/// Each namespace and the tools in it.
fn namespaces(tools: &Value) -> impl Iterator<Item = (&str, &Value)> {
    names(tools)
        .filter(|(_, tool)| tool["type"] == "namespace")
        .map(|(name, tool)| (name, &tool["tools"]))
}

fn names(tools: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let tools = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| Some((tool["name"].as_str()?, tool)))
}

/// Text that is either a string or parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// The body of an error.
pub fn error(refusal: &Refusal) -> Value {
    let mut error = json!({"type": refusal.word, "message": refusal.message, "code": null, "param": null});
    for (name, value) in &refusal.fields {
        error[name] = value.clone();
    }
    json!({ "error": error })
}

/// The event that breaks a stream off.
pub fn error_event(word: &str, message: &str) -> Value {
    json!({"type": "response.failed", "response": {"id": "resp_scripted", "object": "response", "status": "failed",
        "error": {"code": word, "message": message}, "output": [], "usage": null}})
}

/// The reply in one piece.
pub fn whole(step: &Step, ask: &Ask) -> Value {
    response(step, ask, items(step, ask))
}

/// The reply as the events of a stream.
pub fn events(step: &Step, ask: &Ask) -> Vec<Value> {
    let mut begun = skeleton(ask);
    begun["status"] = "in_progress".into();
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    let items = items(step, ask);
    for (index, item) in items.iter().enumerate() {
        events.extend(item_events(index, item));
    }
    let kind = match incomplete(step) {
        None => "response.completed",
        Some(_) => "response.incomplete",
    };
    events.push(json!({"type": kind, "response": response(step, ask, items)}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
    }
    events
}

fn items(step: &Step, ask: &Ask) -> Vec<Value> {
    let id = |kind: &str, at: usize| format!("{kind}_scripted_{}_{at}", ask.turns);
    let texts = step.texts.iter().enumerate().map(|(at, text)| {
        json!({"type": "message", "id": id("msg", at), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]})
    });
    let calls = step.calls.iter().enumerate().map(|(at, call)| {
        let (name, arguments) = call.as_declared(ask);
        let mut item = json!({"type": "function_call", "id": id("fc", at), "call_id": id("call", at),
            "name": name, "arguments": arguments, "status": "completed"});
        if let Some((space, tool)) = in_namespace(&name, ask) {
            item["name"] = tool.into();
            item["namespace"] = space.into();
        }
        item
    });
    texts.chain(calls).collect()
}

fn in_namespace<'a>(name: &'a str, ask: &'a Ask) -> Option<(&'a str, &'a str)> {
    let tool_in = |space: &str| name.strip_prefix(space)?.strip_prefix("__");
    ask.namespaces
        .iter()
        .find_map(|space| Some((space.as_str(), tool_in(space)?)))
}

/// An item in its pieces: begun empty, filled, done.
fn item_events(index: usize, item: &Value) -> Vec<Value> {
    let mut begun = item.clone();
    begun["status"] = "in_progress".into();
    let (field, delta, text) = if item["type"] == "message" {
        begun["content"] = json!([]);
        (
            "text",
            "response.output_text",
            item["content"][0]["text"].as_str(),
        )
    } else {
        begun["arguments"] = "".into();
        (
            "arguments",
            "response.function_call_arguments",
            item["arguments"].as_str(),
        )
    };
    let text = text.unwrap_or_default();
    let place = json!({"item_id": item["id"], "output_index": index, "content_index": 0});
    let at_place = |kind: String, name: &str, value: &str| {
        let mut event = place.clone();
        event["type"] = kind.into();
        event[name] = value.into();
        event
    };
    let deltas = pieces(text).map(|piece| at_place(format!("{delta}.delta"), "delta", piece));
    let begin = json!({"type": "response.output_item.added", "output_index": index, "item": begun});
    let end = json!({"type": "response.output_item.done", "output_index": index, "item": item});
    std::iter::once(begin)
        .chain(deltas)
        .chain([at_place(format!("{delta}.done"), field, text), end])
        .collect()
}

/// Why an answer is not whole, where the script ends it early.
fn incomplete(step: &Step) -> Option<&str> {
    match step.stop_word() {
        "end_turn" | "tool_use" => None,
        "max_tokens" => Some("max_output_tokens"),
        other => Some(other),
    }
}

fn skeleton(ask: &Ask) -> Value {
    json!({"id": format!("resp_scripted_{}", ask.turns), "object": "response", "model": ask.model,
        "output": [], "usage": null, "error": null, "incomplete_details": null})
}

fn response(step: &Step, ask: &Ask, items: Vec<Value>) -> Value {
    let tokens = &step.tokens;
    let input = tokens.input + tokens.cache_write + tokens.cache_read;
    let mut response = skeleton(ask);
    response["status"] = "completed".into();
    if let Some(reason) = incomplete(step) {
        response["status"] = "incomplete".into();
        response["incomplete_details"] = json!({ "reason": reason });
    }
    response["output"] = items.into();
    response["usage"] = json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + tokens.output,
    });
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(items: &[&Value]) -> Value {
        json!({"model": "m", "instructions": "S", "input": items, "stream": true,
            "tools": [{"type": "function", "name": "exec_command"}, {"type": "namespace", "name": "mcp__x", "tools": [{"name": "log"}]}]})
    }

    #[test]
    fn a_request_is_read_or_refused_like_the_provider_does() {
        let rules =
            json!({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D"}]});
        let user =
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "do [x]"}]});
        let thought = json!({"type": "reasoning", "summary": []});
        let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]});
        let call =
            json!({"type": "function_call", "call_id": "a", "name": "exec_command", "arguments": "{}"});
        let output = json!({"type": "function_call_output", "call_id": "a", "output": "ok"});
        let turns = |items: &[&Value]| read(&request(items)).map(|ask| ask.turns);
        let ask = read(&request(&[&rules, &user, &thought, &said, &call, &output])).unwrap();
        assert_eq!(
            ask,
            Ask {
                model: "m".into(),
                opening: "S\nD\ndo [x]".into(),
                turns: 1,
                streams: true,
                tools: vec!["exec_command".into(), "mcp__x__log".into()],
                namespaces: vec!["mcp__x".into()],
            }
        );
        assert_eq!(turns(&[&user]), Ok(0));
        assert_eq!(turns(&[&user, &call, &output, &said, &user]), Ok(2));
        assert!(turns(&[&user, &call]).unwrap_err().contains("No tool output"));
        let plain = read(&json!({"model": "m", "input": "hi"})).unwrap();
        assert_eq!((plain.opening.as_str(), plain.streams), ("\nhi", false));
        for (body, word) in [(json!(null), "model"), (json!({"model": "m"}), "input")] {
            assert!(read(&body).unwrap_err().contains(word));
        }
    }

    #[test]
    fn a_reply_comes_in_pieces_that_make_the_whole() {
        let ask = read(&request(&[])).unwrap();
        let step = Step::say("A text that is longer than one piece.")
            .and_shell("make")
            .and_call("mcp__x__log", json!({"text": "t"}));
        let events = events(&step, &ask);
        let joined: String = events
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta")
            .filter_map(|event| event["delta"].as_str())
            .collect();
        assert_eq!(joined, "A text that is longer than one piece.");
        assert_eq!(events[0]["type"], "response.created");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.completed");
        assert_eq!(last["response"], whole(&step, &ask));
        assert_eq!(last["response"]["usage"]["total_tokens"], 120);
        let done: Vec<&Value> = events
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|event| &event["item"])
            .collect();
        assert_eq!(done[1]["name"], "exec_command");
        assert_eq!(done[1]["arguments"], r#"{"cmd":"make"}"#);
        assert_eq!(
            (&done[2]["namespace"], &done[2]["name"]),
            (&json!("mcp__x"), &json!("log"))
        );
        let cut = events_of_cut(&ask);
        assert_eq!(
            cut["response"]["incomplete_details"]["reason"],
            "max_output_tokens"
        );
    }

    fn events_of_cut(ask: &Ask) -> Value {
        let step = Step::say("cut").stopping("max_tokens");
        events(&step, ask).pop().unwrap()
    }
}
