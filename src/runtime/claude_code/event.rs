//! The CLI's stream of events, as far as it is looked at.
//!
//! Every field may be missing and unknown ones are passed over: the vendor changes them with every version.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) subtype: String,
    pub(super) session_id: Option<String>,
    /// `system/init`.
    pub(super) model: Option<String>,
    /// `system/status`.
    pub(super) status: Option<String>,
    /// `assistant` and `user`; `system/permission_denied` has a text here.
    pub(super) message: Value,
    /// `system/permission_denied`.
    pub(super) tool_name: Option<String>,
    /// `system/api_retry`.
    pub(super) attempt: Option<u32>,
    pub(super) retry_delay_ms: Option<f64>,
    pub(super) error_status: Option<u16>,
    pub(super) error: Value,
    /// `rate_limit_event`.
    pub(super) rate_limit_info: Option<RateLimitNotice>,
}

/// What the provider says of the account's limits; sent when it changes.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RateLimitNotice {
    pub(super) status: String,
    /// Seconds since 1970.
    pub(super) resets_at: Option<f64>,
    pub(super) rate_limit_type: Option<String>,
    pub(super) utilization: Option<f64>,
}

/// A whole message of the model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) content: Vec<Value>,
    pub(super) usage: MessageUsage,
}

/// The tokens of one request; the written ones are not known yet when it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageUsage {
    pub(super) input_tokens: u64,
    pub(super) cache_read_input_tokens: u64,
    pub(super) cache_creation_input_tokens: u64,
}

/// The last event of a run.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct RunResult {
    pub(super) subtype: String,
    pub(super) is_error: bool,
    pub(super) terminal_reason: Option<String>,
    pub(super) api_error_status: Option<u16>,
    pub(super) stop_reason: Option<String>,
    pub(super) result: Value,
    pub(super) errors: Vec<Value>,
    pub(super) total_cost_usd: Option<f64>,
    #[serde(rename = "modelUsage")]
    pub(super) model_usage: BTreeMap<String, ModelUsage>,
    pub(super) permission_denials: Vec<Denial>,
}

/// What a model was used for, over the whole session.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ModelUsage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cache_read_input_tokens: u64,
    pub(super) cache_creation_input_tokens: u64,
    #[serde(rename = "costUSD")]
    pub(super) cost_usd: f64,
}

/// A tool call that was refused.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Denial {
    pub(super) tool_name: String,
}

impl RunResult {
    /// All that it says in words.
    pub(super) fn words(&self) -> String {
        let result = self.result.as_str().into_iter();
        let errors = self.errors.iter().filter_map(Value::as_str);
        result.chain(errors).collect::<Vec<_>>().join("; ")
    }
}
