//! Issues and the comments on them: the same on all forges.

use reqwest::Method;
use serde_json::json;

use super::api::{Api, Ask};
use super::error::ForgeError;
use super::wire::{WireComment, WireIssue, mark};

/// Whether an issue is open.
pub(super) async fn is_open(api: &Api, issue: u64) -> Result<bool, ForgeError> {
    let ask = Ask::new("read the issue", format!("issues/{issue}"));
    let found: WireIssue = api.get(&ask).await?;
    Ok(found.state == "open")
}

/// Comments, unless a comment bears the key already.
pub(super) async fn comment(api: &Api, issue: u64, key: &str, text: &str) -> Result<(), ForgeError> {
    let ask = Ask::new("comment", format!("issues/{issue}/comments"));
    let mark = mark(key);
    let there = api.list(&ask, |page: Vec<WireComment>| page).await?;
    let bears = |comment: &WireComment| comment.body.as_deref().is_some_and(|body| body.contains(&mark));
    if there.iter().any(bears) {
        return Ok(());
    }
    let body = json!({ "body": format!("{text}\n\n{mark}") });
    api.order(Method::POST, &ask, Some(&body)).await
}
