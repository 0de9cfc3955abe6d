//! `logs ID --check NAME`: what a check of the gate said, in full.

use std::io::IsTerminal;

use serde_json::json;

use super::super::args::look::Logs;
use super::super::exit::{Failure, Outcome};
use super::super::render;
use super::ground::{Ground, of_store};
use super::look::unknown;
use crate::domain::gate::{CheckSource, Receipt};
use crate::domain::review;
use crate::service::gate_output;
use crate::service::instance::Instance;
use crate::service::view::VERSION;

pub(super) async fn check(ground: &Ground, instance: &Instance, args: &Logs, name: &str) -> Outcome {
    let receipt = receipt(instance, args, name).await?;
    let found = gate_output::stored(&instance.layout, &args.id, &receipt.output_sha256);
    let found =
        found.map_err(|error| Failure::failed(format!("the stored output cannot be read: {error}")))?;
    // Of looks of the house, and of what was stored too long ago, there is what the receipt holds.
    let complete = found.is_some() || receipt.trace.output_bytes == 0;
    let output = found.unwrap_or_else(|| receipt.output_tail.clone());
    let output = instance.redactor.redact(&output).into_owned();
    if ground.common.json {
        let document = json!({
            "version": VERSION, "id": args.id.as_str(), "check": receipt.name, "commit": receipt.commit,
            "verdict": receipt.verdict.as_str(), "exit_code": receipt.exit_code,
            "output_sha256": receipt.output_sha256, "complete": complete, "output": output,
        });
        return ground.show(&document, |_| String::new());
    }
    let mut page = match std::io::stdout().is_terminal() {
        true => render::text::lines(&output).join("\n"),
        false => output,
    };
    if !page.ends_with('\n') {
        page.push('\n');
    }
    super::print(&page)
}

/// Of the newest run of the gate, or of the newest one over the attempt that is named.
async fn receipt(instance: &Instance, args: &Logs, name: &str) -> Result<Receipt, Failure> {
    if instance.store.task(&args.id).await.map_err(of_store)?.is_none() {
        return Err(unknown(&args.id));
    }
    let runs = instance.store.gates(&args.id).await.map_err(of_store)?;
    let of_attempt = |n: u32| args.attempt.is_none_or(|wanted| wanted == n);
    let Some(run) = runs.into_iter().rev().find(|run| of_attempt(run.record.attempt)) else {
        let what = format!("the gate has not judged '{}'", args.id);
        return Err(Failure::not_found(what).help(format!("`orchestrator validate {}` runs it now", args.id)));
    };
    let receipts = run.record.report.receipts;
    let names: Vec<&str> = receipts.iter().map(|receipt| receipt.name.as_str()).collect();
    let help = format!("there are: {}", names.join(", "));
    let is_named = |receipt: &&Receipt| {
        let is_review = name == review::NAME && receipt.source == CheckSource::Reviewer;
        receipt.name == name || is_review
    };
    let found = receipts.iter().find(is_named).cloned();
    found.ok_or_else(|| Failure::not_found(format!("the gate ran no check '{name}'")).help(help))
}
