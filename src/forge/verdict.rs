//! What the forges' words for checks and reviews mean here. Pure.
//!
//! Sources: GitHub's description of check runs (`status`, `conclusion`), commit statuses and reviews; Gitea's commit
//! status states and review states. A word that is in none of them is no good news.

use crate::domain::landing::{CheckState, Stand};

/// A check run of GitHub.
pub(super) fn check_run(status: &str, conclusion: Option<&str>) -> CheckState {
    match (status, conclusion) {
        ("completed", Some("success")) => CheckState::Green,
        ("completed", Some("failure" | "timed_out" | "startup_failure")) => CheckState::Red,
        // neutral, skipped, stale, cancelled, action_required, and whatever comes later.
        ("completed", _) => CheckState::Void,
        ("queued" | "in_progress" | "waiting" | "requested" | "pending", _) => CheckState::Running,
        _ => CheckState::Void,
    }
}

/// A commit status: GitHub's error, failure, pending, success; Gitea's also warning and skipped.
pub(super) fn status(state: &str) -> CheckState {
    match state {
        "success" => CheckState::Green,
        "failure" | "error" => CheckState::Red,
        "pending" => CheckState::Running,
        _ => CheckState::Void,
    }
}

/// A review; none for one that is not handed in, or is only asked for.
pub(super) fn review(state: &str) -> Option<Stand> {
    match state {
        "APPROVED" => Some(Stand::Approves),
        // GitHub's word, and Gitea's.
        "CHANGES_REQUESTED" | "REQUEST_CHANGES" => Some(Stand::Objects),
        "COMMENTED" | "COMMENT" => Some(Stand::Remarks),
        "DISMISSED" => Some(Stand::Dismissed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckState::{Green, Red, Running, Void};

    #[test]
    fn every_word_of_check_runs() {
        for (conclusion, wanted) in [
            ("success", Green),
            ("failure", Red),
            ("timed_out", Red),
            ("startup_failure", Red),
            ("neutral", Void),
            ("skipped", Void),
            ("stale", Void),
            ("cancelled", Void),
            ("action_required", Void),
            ("splendid", Void),
            ("", Void),
        ] {
            assert_eq!(check_run("completed", Some(conclusion)), wanted, "{conclusion}");
        }
        assert_eq!(check_run("completed", None), Void);
        for status in ["queued", "in_progress", "waiting", "requested", "pending"] {
            assert_eq!(check_run(status, None), Running, "{status}");
            // A conclusion before the end is none.
            assert_eq!(check_run(status, Some("success")), Running, "{status}");
        }
        assert_eq!(check_run("on_holiday", Some("success")), Void);
    }

    #[test]
    fn every_word_of_statuses() {
        for (state, wanted) in [
            ("success", Green),
            ("failure", Red),
            ("error", Red),
            ("pending", Running),
            ("warning", Void),
            ("skipped", Void),
            ("SUCCESS", Void),
            ("", Void),
        ] {
            assert_eq!(status(state), wanted, "{state}");
        }
    }

    #[test]
    fn every_word_of_reviews() {
        for (state, wanted) in [
            ("APPROVED", Some(Stand::Approves)),
            ("CHANGES_REQUESTED", Some(Stand::Objects)),
            ("REQUEST_CHANGES", Some(Stand::Objects)),
            ("COMMENTED", Some(Stand::Remarks)),
            ("COMMENT", Some(Stand::Remarks)),
            ("DISMISSED", Some(Stand::Dismissed)),
            ("PENDING", None),
            ("REQUEST_REVIEW", None),
            ("", None),
        ] {
            assert_eq!(review(state), wanted, "{state}");
        }
    }
}
