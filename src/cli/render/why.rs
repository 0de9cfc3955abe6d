//! `why`: one line each for what, since when, until what, who; then the decisions that led here.

use super::look::{BOLD, Look};
use super::{events, facts, text, waiting};
use crate::service::view::Why;

/// How many decisions are shown.
const DECISIONS: usize = 10;

/// The page.
pub fn why(view: &Why, look: &Look) -> String {
    let id = text::line(&view.id);
    let mut page = format!("{} is {}\n", look.paint(BOLD, &id), text::line(&view.state));
    page.push_str(&facts::facts(&waiting::answers(&view.waiting, look), look));
    let decisions = events::events(view.decisions.iter().take(DECISIONS), &facts::inner(look));
    page.push_str(&facts::part("Decisions, newest first", &decisions, look));
    let more = view.decisions.len().saturating_sub(DECISIONS);
    if more > 0 {
        page.push_str(&look.dim(&format!("  and {more} more: orchestrator show {id}\n")));
    }
    page
}
