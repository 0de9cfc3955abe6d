//! What the tests of the queue file share.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use orchestrator::domain::id::TaskId;
use orchestrator::format::queue::{Applied, Document, Edit, Known, QueuedTask, Reading, StatusField, read};

pub(crate) fn id(text: &str) -> TaskId {
    TaskId::parse(text).unwrap()
}

pub(crate) fn status(name: &str, value: &str) -> Edit {
    fields(name, &[(StatusField::Status, value)])
}

pub(crate) fn archive(name: &str) -> Edit {
    Edit::Archive { id: id(name) }
}

pub(crate) fn written(applied: &Applied) -> String {
    String::from_utf8(applied.bytes.clone()).unwrap()
}

pub(crate) fn reading(text: &str) -> Reading {
    read("PROACTIVE-JOBS.md", text.as_bytes().to_vec(), &Known::default())
}

pub(crate) fn task<'r>(reading: &'r Reading, name: &str) -> &'r QueuedTask {
    reading.tasks.iter().find(|t| t.id.as_str() == name).unwrap()
}

pub(crate) fn ids(document: &Document) -> Vec<String> {
    document.sections().iter().map(|s| s.id.to_string()).collect()
}

pub(crate) const MESSY: &str = include_str!("fixtures/queue/messy.md");

pub(crate) fn fields(name: &str, values: &[(StatusField, &str)]) -> Edit {
    let fields = values
        .iter()
        .map(|(field, value)| (*field, (*value).to_owned()))
        .collect();
    Edit::SetFields { id: id(name), fields }
}
