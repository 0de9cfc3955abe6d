//! Acceptance criteria as people write them.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::queue_support::*;

#[test]
fn a_criterion_is_a_box_with_all_that_belongs_to_it() {
    let text = "## Active Tasks\n\n### t: T\n- **Description:** d\n- **Status:** pending\n\n#### Acceptance Criteria\n\
        - [ ] It answers 200\n  for an empty account\n  - also at night\n- [x] It is\n  - [ ] fast\n  - small\n1. numbered\n   - a point of its own\n";
    let reading = reading(text);
    let told: Vec<&str> = task(&reading, "t")
        .definition
        .acceptance
        .iter()
        .map(|c| c.text.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "It answers 200 for an empty account; also at night",
            "It is",
            "fast",
            "small",
            "numbered",
            "a point of its own"
        ]
    );
}
