//! `config show`: every effective value and where it comes from.

use serde::Serialize;

use super::look::{BOLD, DIM, Look, PLAIN};
use super::table::{Cell, Column, Row, table};
use crate::service::view::VERSION;

/// One effective value. A secret is never in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its key, with its section: `scheduler.cron`.
    pub key: String,
    /// Its value, as the file would have it.
    pub value: String,
    /// `default`, the file with its line, a variable's name, or a flag.
    pub origin: String,
}

/// `config show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document<'a> {
    /// [`VERSION`]
    pub version: u32,
    /// In the order of the sections.
    pub settings: &'a [Setting],
}

/// The settings as a document.
pub fn document(settings: &[Setting]) -> Document<'_> {
    Document {
        version: VERSION,
        settings,
    }
}

/// The page; what people changed stands out.
pub fn settings(all: &[Setting], look: &Look) -> String {
    let columns = [
        Column::new("KEY", 44),
        Column::new("VALUE", (look.width / 2).max(16)),
        Column::new("FROM", 400),
    ];
    let rows: Vec<Row> = all.iter().map(|setting| Row::Tall(cells(setting))).collect();
    table(&columns, &rows, look)
}

fn cells(setting: &Setting) -> Vec<Cell> {
    let (value, origin) = if setting.origin == "default" {
        (PLAIN, DIM)
    } else {
        (BOLD, PLAIN)
    };
    vec![
        setting.key.as_str().into(),
        Cell::new(&setting.value, value),
        Cell::new(&setting.origin, origin),
    ]
}
