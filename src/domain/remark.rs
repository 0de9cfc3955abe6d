//! What people say to a task while it is being worked on: it reaches its worker once, and before the work counts as done.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Its words.
    pub text: String,
    /// Who said it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Files that came with it: absolute paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The fencing number of the first attempt whose prompt it stood in; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_in: Option<u64>,
}

/// All remarks on a task, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Remarks(Vec<Remark>);

impl Remarks {
    /// How many are kept; of more, the oldest go that were told.
    pub const KEPT: usize = 50;

    /// Takes one; `false` where as many wait to be told as are kept.
    pub fn add(&mut self, remark: Remark) -> bool {
        if self.0.len() >= Self::KEPT {
            let Some(oldest) = self.0.iter().position(|remark| remark.told_in.is_some()) else {
                return false;
            };
            self.0.remove(oldest);
        }
        self.0.push(remark);
        true
    }

    /// An attempt starts, and its prompt has all of them.
    pub fn tell(&mut self, epoch: u64) {
        for remark in self.0.iter_mut().filter(|remark| remark.told_in.is_none()) {
            remark.told_in = Some(epoch);
        }
    }

    /// Whether there is one that no attempt was told.
    pub fn any_untold(&self) -> bool {
        self.0.iter().any(|remark| remark.told_in.is_none())
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Remark> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(text: &str) -> Remark {
        Remark {
            text: text.to_owned(),
            by: "jane".to_owned(),
            at: DateTime::UNIX_EPOCH,
            files: Vec::new(),
            told_in: None,
        }
    }

    #[test]
    fn one_is_told_once_and_the_untold_are_never_dropped() {
        let mut remarks = Remarks::default();
        assert!(!remarks.any_untold() && remarks.is_empty());
        for n in 0..Remarks::KEPT {
            assert!(remarks.add(remark(&n.to_string())));
        }
        assert!(!remarks.add(remark("one too many")));
        remarks.tell(3);
        assert!(!remarks.any_untold());
        assert!(remarks.add(remark("new")));
        remarks.tell(4);
        let told: Vec<_> = remarks.iter().map(|r| (r.text.as_str(), r.told_in)).collect();
        assert_eq!(told.len(), Remarks::KEPT);
        assert_eq!(
            (told[0], told[Remarks::KEPT - 1]),
            (("1", Some(3)), ("new", Some(4)))
        );
    }
}
