//! The scripts: what must happen as one at the server.

use redis::Script;

/// A script with what all of them share before it.
macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("script/prelude.lua"),
            include_str!(concat!("script/", $file))
        ))
    };
}

/// All of them. The server is handed each when it does not know it (any more).
pub(super) struct Scripts {
    pub(super) publish: Script,
    pub(super) take: Script,
    pub(super) ack: Script,
    pub(super) nack: Script,
    pub(super) park: Script,
    pub(super) leave: Script,
    pub(super) append: Script,
    pub(super) read: Script,
    pub(super) committed: Script,
    pub(super) announce: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            publish: script!("publish.lua"),
            take: script!("take.lua"),
            ack: script!("ack.lua"),
            nack: script!("nack.lua"),
            park: script!("park.lua"),
            leave: script!("leave.lua"),
            append: script!("append.lua"),
            read: script!("read.lua"),
            committed: script!("committed.lua"),
            announce: script!("announce.lua"),
        }
    }
}
