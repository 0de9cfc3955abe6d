//! The agent's tool calls, put together from their updates.
//!
//! A call is announced once, when its input is known or it begins to run, so that equal calls make equal lines.
//! What is known of a call is forgotten when it ends.

use std::collections::HashMap;
use std::path::PathBuf;

use agent_client_protocol::v1::schema::{
    ContentBlock, Meta, ToolCall, ToolCallContent, ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields,
    ToolKind,
};
use serde_json::Value;

use super::line::{Line, cut};

/// More open calls than this are an agent that never ends one; the old ones are forgotten.
const MOST: usize = 1_000;

/// What is known of one call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    name: Option<String>,
    title: String,
    /// The kind of tool.
    pub kind: ToolKind,
    /// Files that it names.
    pub places: Vec<PathBuf>,
    input: Option<Value>,
    told: bool,
}

impl Call {
    /// The tool's name: the agent's own, else a title that is one, else the kind.
    pub fn name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.kind == ToolKind::Other && !self.title.is_empty() && self.title.chars().all(word) {
            return self.title.clone();
        }
        let kind = serde_json::to_value(self.kind).ok();
        kind.and_then(|kind| Some(kind.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    fn input(&self) -> String {
        match &self.input {
            Some(input) => cut(&input.to_string()),
            None => cut(&self.title),
        }
    }

    fn take(&mut self, fields: ToolCallUpdateFields, meta: Option<&Meta>) {
        self.name = fields.name.or_else(|| named_by_vendor(meta)).or(self.name.take());
        self.kind = fields.kind.unwrap_or(self.kind);
        if let Some(title) = fields.title {
            self.title = title;
        }
        if let Some(places) = fields.locations.filter(|places| !places.is_empty()) {
            self.places = places.into_iter().map(|place| place.path).collect();
        }
        // Agents send an empty object while the input still streams.
        self.input = fields
            .raw_input
            .filter(|input| !is_empty(input))
            .or(self.input.take());
    }
}

/// All calls that are open.
#[derive(Debug, Default)]
pub struct Calls {
    open: HashMap<String, Call>,
}

impl Calls {
    /// Takes in a new call.
    pub fn begin(&mut self, call: ToolCall) -> Vec<Line> {
        let mut fields = ToolCallUpdateFields::new();
        fields.kind = Some(call.kind);
        fields.status = Some(call.status);
        fields.title = Some(call.title);
        fields.name = call.name;
        fields.content = Some(call.content);
        fields.locations = Some(call.locations);
        fields.raw_input = call.raw_input;
        fields.raw_output = call.raw_output;
        self.take(&call.tool_call_id.0, fields, call.meta.as_ref())
    }

    /// Takes in what changed of a call.
    pub fn update(&mut self, update: ToolCallUpdate) -> Vec<Line> {
        self.take(&update.tool_call_id.0, update.fields, update.meta.as_ref())
    }

    /// Takes in a call that the agent asks permission for, and gives what is known of it.
    pub fn asked(&mut self, mut update: ToolCallUpdate) -> (Call, Vec<Line>) {
        let id = update.tool_call_id.0.to_string();
        // The same input in other words is no other call.
        if self.open.get(&id).is_some_and(|call| call.input.is_some()) {
            update.fields.raw_input = None;
        }
        update.fields.status = None;
        let mut lines = self.update(update);
        let call = self.open.entry(id).or_default();
        lines.extend(tell(call));
        (call.clone(), lines)
    }

    fn take(&mut self, id: &str, fields: ToolCallUpdateFields, meta: Option<&Meta>) -> Vec<Line> {
        if self.open.len() > MOST {
            self.open.clear();
        }
        let (status, answer) = (fields.status, answer(&fields));
        let call = self.open.entry(id.to_owned()).or_default();
        call.take(fields, meta);
        let mut lines = Vec::new();
        let runs = status.is_some_and(|status| status != ToolCallStatus::Pending);
        if call.input.is_some() || runs {
            lines.extend(tell(call));
        }
        if let Some(ToolCallStatus::Completed | ToolCallStatus::Failed) = status {
            lines.push(Line::ToolResult {
                name: call.name(),
                is_error: status == Some(ToolCallStatus::Failed),
                text: cut(&answer),
            });
            self.open.remove(id);
        }
        lines
    }
}

fn tell(call: &mut Call) -> Option<Line> {
    if std::mem::replace(&mut call.told, true) {
        return None;
    }
    Some(Line::ToolUse {
        name: call.name(),
        input: call.input(),
    })
}

/// Adapters put their own name for the tool beside the protocol's fields.
fn named_by_vendor(meta: Option<&Meta>) -> Option<String> {
    let name = meta?
        .values()
        .find_map(|vendor| vendor.get("toolName")?.as_str())?;
    Some(name.to_owned())
}

fn is_empty(input: &Value) -> bool {
    input.is_null() || input.as_object().is_some_and(serde_json::Map::is_empty)
}

/// What a tool gave, as text: its raw output, else its content.
fn answer(fields: &ToolCallUpdateFields) -> String {
    match &fields.raw_output {
        Some(Value::String(text)) => return text.clone(),
        Some(Value::Object(output)) if output.get("output").is_some_and(Value::is_string) => {
            return output["output"].as_str().unwrap_or_default().to_owned();
        }
        _ => {}
    }
    let texts = fields
        .content
        .iter()
        .flatten()
        .filter_map(|content| match content {
            ToolCallContent::Content(content) => match &content.content {
                ContentBlock::Text(text) => Some(text.text.clone()),
                _ => None,
            },
            ToolCallContent::Diff(diff) => Some(format!("changed {}", diff.path.display())),
            _ => None,
        });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn update(calls: &mut Calls, value: Value) -> Vec<Line> {
        calls.update(serde_json::from_value(value).unwrap())
    }

    fn used(name: &str, input: &str) -> Line {
        Line::ToolUse {
            name: name.into(),
            input: input.into(),
        }
    }

    #[test]
    fn a_call_is_told_once_its_input_is_known() {
        let mut calls = Calls::default();
        let begun = json!({"toolCallId":"1","title":"Write","kind":"edit","status":"pending","rawInput":{},
            "_meta":{"vendor":{"toolName":"Write"}}});
        assert_eq!(calls.begin(serde_json::from_value(begun).unwrap()), []);
        let told = update(&mut calls, json!({"toolCallId":"1","rawInput":{"path":"/w/a"}}));
        assert_eq!(told, [used("Write", r#"{"path":"/w/a"}"#)]);
        let asked = json!({"toolCallId":"1","rawInput":{"diff":"x"},"locations":[{"path":"/w/a"}]});
        let (call, lines) = calls.asked(serde_json::from_value(asked).unwrap());
        assert_eq!((lines, call.places), (vec![], vec![PathBuf::from("/w/a")]));
        let ended = update(
            &mut calls,
            json!({"toolCallId":"1","status":"failed","rawOutput":"no"}),
        );
        let Line::ToolResult { name, is_error, text } = &ended[0] else {
            panic!("{ended:?}");
        };
        assert_eq!((name.as_str(), *is_error, text.as_str()), ("Write", true, "no"));
        assert!(calls.open.is_empty());
    }

    #[test]
    fn an_agent_that_tells_little_is_understood() {
        let mut calls = Calls::default();
        let told = update(
            &mut calls,
            json!({"toolCallId":"1","title":"ls -l","kind":"execute","status":"in_progress"}),
        );
        assert_eq!(told, [used("execute", "ls -l")]);
        let (call, told) = calls
            .asked(serde_json::from_value(json!({"toolCallId":"2","title":"orchestrator_done"})).unwrap());
        assert_eq!(told, [used("orchestrator_done", "orchestrator_done")]);
        assert_eq!(call.kind, ToolKind::Other);
    }

    #[test]
    fn calls_that_never_end_do_not_pile_up() {
        let mut calls = Calls::default();
        for id in 0..3 * MOST {
            update(
                &mut calls,
                json!({"toolCallId":id.to_string(),"rawInput":{"a":1}}),
            );
        }
        assert!(calls.open.len() <= MOST + 1);
    }
}
