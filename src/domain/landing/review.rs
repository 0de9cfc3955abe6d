//! Reviews of a pull request, and which of them are in force.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its number on the forge.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Whether the forge says that this person may speak for the project. Others' words count for nothing, and no worker
    /// is shown them.
    pub trusted: bool,
    /// Where it stands.
    pub stand: Stand,
    /// The commit that was looked at, where the forge says so.
    pub commit: Option<String>,
    /// When it was handed in.
    pub at: Option<DateTime<Utc>>,
    /// Its text.
    pub body: String,
    /// Its remarks on single lines.
    pub notes: Vec<Note>,
}

/// What a review says of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It may be merged.
    Approves,
    /// It must be changed first.
    Objects,
    /// Remarks, neither for nor against.
    Remarks,
    /// Somebody has taken its force.
    Dismissed,
}

/// A remark on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub path: String,
    /// The line in the new file, where it is still there.
    pub line: Option<u64>,
    /// The remark.
    pub body: String,
}

/// The latest word of each person who may speak, for or against; remarks change nothing. Oldest first.
pub(super) fn in_force(reviews: &[Review]) -> Vec<&Review> {
    let mut latest: BTreeMap<&str, (usize, &Review)> = BTreeMap::new();
    let speaking = |r: &&Review| r.trusted && r.stand != Stand::Remarks;
    for (place, review) in reviews.iter().filter(speaking).enumerate() {
        latest.insert(&review.author, (place, review));
    }
    let mut latest: Vec<_> = latest.into_values().collect();
    latest.sort_by_key(|(place, _)| *place);
    latest.into_iter().map(|(_, review)| review).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(id: u64, author: &str, stand: Stand) -> Review {
        Review {
            id,
            author: author.to_owned(),
            trusted: author != "stranger",
            stand,
            commit: None,
            at: None,
            body: String::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_latest_word_of_each_person_counts() {
        let all = [
            review(1, "ann", Stand::Objects),
            review(2, "bob", Stand::Approves),
            review(3, "stranger", Stand::Objects),
            review(4, "ann", Stand::Remarks),
            review(5, "bob", Stand::Objects),
            review(6, "cy", Stand::Dismissed),
        ];
        let ids: Vec<u64> = in_force(&all).iter().map(|r| r.id).collect();
        assert_eq!(ids, [1, 5, 6]);
    }
}
