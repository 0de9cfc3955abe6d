//! `[landing]`: where finished work goes.

use crate::config::reader::Section;
use crate::config::setting::words;
use crate::domain::stage::Destination;

/// `[landing]`.
#[derive(Debug, Clone, Copy)]
pub struct Landing {
    /// Where finished work goes that does not say it itself.
    pub to: Destination,
}

words!(Destination { "branch" => Branch, "base" => Base, "pull-request" => PullRequest });

/// Nobody's branch is moved unasked.
fn to() -> Destination {
    Destination::Branch
}

impl Landing {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            to: section.get("to", to),
        }
    }
}
