//! The ledger that the workers of the stories write, outside of the product: who worked at what, when and where.
//!
//! Each line was written under a lock, so the order of lines is the order in which things happened.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a worker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It has begun, and nobody else's process tree of this task was there.
    Begins,
    /// It has begun while the process tree of another attempt was there.
    Overlaps,
    Lives,
    Ends,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since boot.
    pub at: Duration,
    pub task: String,
    pub epoch: u64,
    pub node: String,
    pub pid: u32,
    pub what: What,
}

/// All whole lines; one that is torn was the last of a killed worker.
pub fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

pub fn parse(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split(' ').collect();
    let [at, task, epoch, node, pid, what] = words.as_slice() else {
        return None;
    };
    let what = match *what {
        "begins" => What::Begins,
        "overlaps" => What::Overlaps,
        "lives" => What::Lives,
        "ends" => What::Ends,
        _ => return None,
    };
    Some(Line {
        at: Duration::from_secs_f64(at.parse().ok()?),
        task: (*task).to_owned(),
        epoch: epoch.parse().ok()?,
        node: (*node).to_owned(),
        pid: pid.parse().ok()?,
        what,
    })
}

#[test]
fn a_line_is_read_and_a_torn_one_is_not() {
    let line = parse("12.34 slow-1-20 3 a 4711 begins").unwrap();
    assert_eq!(line.at, Duration::from_millis(12_340));
    assert_eq!((line.task.as_str(), line.epoch, line.pid), ("slow-1-20", 3, 4711));
    assert_eq!(line.what, What::Begins);
    for torn in ["12.34 slow-1-20 3 a 4711 beg", "12.34 slow-1-20", ""] {
        assert_eq!(parse(torn), None);
    }
}
