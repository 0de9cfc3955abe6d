//! What the gate kept of a task for people to look at.

use super::super::exhibits;
use super::super::instance::Instance;
use super::super::view::{Evidence, ExhibitView, KeptView, VERSION};
use crate::domain::exhibit::Exhibit;
use crate::domain::gate::Receipt;
use crate::domain::id::TaskId;
use crate::store::{GateRun, StoreError};

/// The beginning of the names of receipts of evidence.
const RECEIPT: &str = "evidence: ";

/// The evidence of the newest run of a task's gate; none where there is no such task.
pub async fn evidence(instance: &Instance, id: &TaskId) -> Result<Option<Evidence>, StoreError> {
    if instance.store.task(id).await?.is_none() {
        return Ok(None);
    }
    let run = instance.store.latest_gate(id).await?;
    Ok(Some(Evidence {
        version: VERSION,
        id: id.to_string(),
        commit: run.as_ref().map(|run| run.record.report.commit.clone()),
        evidence: run.map(|run| of_run(instance, id, &run)).unwrap_or_default(),
    }))
}

/// What a run of the gate kept, and where it still lies.
pub(super) fn of_run(instance: &Instance, id: &TaskId, run: &GateRun) -> Vec<ExhibitView> {
    let report = &run.record.report;
    let file = |file: &Exhibit| KeptView {
        path: file.path.clone(),
        bytes: file.bytes,
        kind: file.kind.clone(),
        sha256: file.sha256.clone(),
        committed: file.committed,
        redacted: file.redacted,
        stored: exhibits::stored(&instance.layout, id, &report.commit, &file.sha256)
            .map(|path| path.display().to_string()),
    };
    let exhibit = |receipt: &Receipt| {
        let name = receipt.name.strip_prefix(RECEIPT)?;
        Some(ExhibitView {
            name: name.to_owned(),
            verdict: receipt.verdict.as_str().to_owned(),
            files: receipt.trace.files.iter().map(file).collect(),
        })
    };
    report.receipts.iter().filter_map(exhibit).collect()
}
