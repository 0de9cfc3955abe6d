//! The names of keys. All of one fleet have one hash tag, so that scripts may touch several of them wherever they live.

/// The keys of one namespace.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    root: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            root: format!("{{{namespace}}}"),
        }
    }

    pub(super) fn stream(&self, name: &str) -> String {
        format!("{}:stream:{name}", self.root)
    }

    pub(super) fn parked(&self, stream: &str) -> String {
        format!("{}:parked:{stream}", self.root)
    }

    pub(super) fn journal(&self, name: &str) -> String {
        format!("{}:journal:{name}", self.root)
    }

    /// What the readers of a journal have committed.
    pub(super) fn committed(&self, journal: &str) -> String {
        format!("{}:committed:{journal}", self.root)
    }

    pub(super) fn channel(&self, name: &str) -> String {
        format!("{}:live:{name}", self.root)
    }

    /// The name of a channel of ours.
    pub(super) fn channel_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.root)?.strip_prefix(":live:")
    }

    /// One who is present.
    pub(super) fn present(&self, name: &str) -> String {
        format!("{}:present:{name}", self.root)
    }

    /// The names of those who are or were present.
    pub(super) fn index(&self) -> String {
        format!("{}:present", self.root)
    }

    /// Written to see that writing works.
    pub(super) fn probe(&self) -> String {
        format!("{}:probe", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_told_by_their_keys_and_those_of_others_are_not_ours() {
        let keys = Keys::new("a");
        assert_eq!(keys.channel_of(&keys.channel("x:y")), Some("x:y"));
        assert_eq!(keys.channel_of(&Keys::new("ab").channel("x")), None);
        assert!(keys.stream("s").starts_with("{a}:"));
    }
}
