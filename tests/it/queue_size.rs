//! A queue file of the size and mess that people really have, and one far larger.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::queue_support::*;
use std::time::Instant;

use orchestrator::format::queue::{Document, Edit, Known, apply, read};

/// A file of the size and mess that people really have.
fn big_file(tasks: usize) -> String {
    let statuses = [
        "✅ completed (fixed via upstream)",
        "🔄 **in-progress**",
        "🔴 pending (URGENT)",
        "queued",
        "`done`",
    ];
    let mut file =
        String::from("\u{feff}# Proactive Jobs\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Active Tasks\n\n");
    for n in 0..tasks {
        if n == tasks / 2 {
            file.push_str("## Archived Tasks\n\n");
        }
        if n % 10 == 0 {
            file.push_str("### Dashboard of this phase\n\n| id | state |\n|----|-------|\n| x  | `y`   |\n\n```mermaid\ngraph LR\n  A --> B\n```\n\n");
        }
        let mark = if n % 7 == 0 { " ✅" } else { "" };
        file.push_str(&format!(
            "### p{}-{n}-x: Task number {n} of the plan{mark}\n",
            n % 4
        ));
        file.push_str(&format!(
            "- **Type:** one-off\n- **Min Model:** haiku <!-- cheap -->\n- **Priority:** P{}\n",
            n % 4
        ));
        if n > 0 && n != tasks / 2 {
            file.push_str(&format!("- **Depends On:** p{}-{}-x\n", (n - 1) % 4, n - 1));
        }
        file.push_str(&format!("- **Status:** {}\n- **Description:** Do the work of step {n},\n  carefully, and write down\n  - what was done\n  - what is left\n\n", statuses[n % 5]));
        file.push_str("#### Acceptance Criteria\n- [ ] it works\n- [x] it is written down\n\n#### Validation\nTests:\n```bash\ncargo test # all\n```\n\n");
    }
    file
}

#[test]
fn a_file_of_the_real_size_reads_quickly_and_large_ones_in_linear_time() {
    let file = big_file(150);
    assert!((60_000..120_000).contains(&file.len()), "{}", file.len());
    let reading = reading(&file);
    assert_eq!(reading.tasks.len(), 150);
    assert_eq!(
        reading.problems.iter().filter(|p| p.is_error()).count(),
        0,
        "{:?}",
        reading.problems
    );
    let large = big_file(10_000);
    let started = Instant::now();
    let edits: Vec<Edit> = Document::parse(large.clone().into_bytes())
        .sections()
        .iter()
        .map(|s| status(s.id.as_str(), "pending"))
        .collect();
    let applied = apply(large.as_bytes(), &edits);
    assert!(applied.missed.is_empty() && edits.len() == 10_000);
    assert_eq!(read("f", applied.bytes, &Known::default()).tasks.len(), 10_000);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
