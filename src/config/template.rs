//! The orchestrator.toml that `init` writes: every key with its default, commented out.

/// The text of a new instance's orchestrator.toml. It parses to the defaults.
pub const TEMPLATE: &str = include_str!("template.toml");
