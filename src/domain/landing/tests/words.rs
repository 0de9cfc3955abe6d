//! What reviewers say, and what comes of it.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn words_of_reviewers() {
    let objection: Change = |_, s, _| s.reviews = vec![review(9, "ann", Stand::Objects, B)];
    table(&[
        (
            "an objection",
            soon(),
            objection,
            "rework: ann asks for changes [0 checks, reviews [9]]",
        ),
        (
            "to an earlier commit, unheard",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "ann", Stand::Objects, A)],
            "rework: ann asks",
        ),
        (
            "heard, not taken back",
            soon(),
            |l, s, _| {
                s.reviews = vec![review(9, "ann", Stand::Objects, A)];
                l.handed.insert(9);
            },
            "wait for a person: ann to look again",
        ),
        (
            "heard, and approved since",
            soon(),
            |l, s, _| {
                s.reviews = vec![
                    review(9, "ann", Stand::Objects, A),
                    review(10, "ann", Stand::Approves, B),
                ];
                l.handed.insert(9);
            },
            "merge",
        ),
        (
            "remarks alone",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "ann", Stand::Remarks, B)],
            "merge",
        ),
        (
            "a stranger's objection",
            soon(),
            |_, s, _| s.reviews = vec![review(9, "stranger", Stand::Objects, B)],
            "merge",
        ),
        (
            "remarks go along with an objection, a stranger's do not",
            soon(),
            |_, s, _| {
                s.reviews = vec![
                    review(8, "bob", Stand::Remarks, B),
                    review(9, "ann", Stand::Objects, B),
                    review(10, "stranger", Stand::Remarks, B),
                ];
            },
            "rework: ann asks for changes [0 checks, reviews [9, 8]]",
        ),
        (
            "unapproved",
            soon(),
            |_, _, r| r.approvals = 1,
            "wait for a person: approval of bbbbbbbbbb by people (0 of 1)",
        ),
        (
            "an approval of another commit",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "ann", Stand::Approves, A)];
            },
            "wait for a person: approval of bbbbbbbbbb by people (0 of 1)",
        ),
        (
            "a stranger's approval",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "stranger", Stand::Approves, B)];
            },
            "wait for a person: approval",
        ),
        (
            "one's approval twice",
            soon(),
            |_, s, r| {
                r.approvals = 2;
                s.reviews = vec![
                    review(9, "ann", Stand::Approves, B),
                    review(10, "ann", Stand::Approves, B),
                ];
            },
            "wait for a person: approval of bbbbbbbbbb by people (1 of 2)",
        ),
        (
            "approved",
            soon(),
            |_, s, r| {
                r.approvals = 1;
                s.reviews = vec![review(9, "ann", Stand::Approves, B)];
            },
            "merge",
        ),
    ]);
}
