//! How the five categories stand in a report.

use crate::domain::gate::{Category, CheckVerdict, GateReport};

/// What the receipts say of one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// At least one receipt, all green.
    Green,
    /// At least one red receipt.
    Red,
    /// Nothing red, and a person's word is asked for.
    NeedsPerson,
    /// No receipt at all.
    Absent,
}

/// The standing of each category, in the order of the reports.
pub fn standings(report: &GateReport) -> [(Category, Standing); 5] {
    Category::ALL.map(|category| (category, standing(report, category)))
}

fn standing(report: &GateReport, category: Category) -> Standing {
    let mut seen = Standing::Absent;
    for receipt in report.receipts.iter().filter(|r| r.category == category) {
        seen = match (receipt.verdict, seen) {
            _ if receipt.commit != report.commit => return Standing::Red,
            (CheckVerdict::Passed, Standing::NeedsPerson) | (CheckVerdict::NeedsPerson, _) => {
                Standing::NeedsPerson
            }
            (CheckVerdict::Passed, _) => Standing::Green,
            _ => return Standing::Red,
        };
    }
    seen
}
