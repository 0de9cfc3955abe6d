//! Floor 0: what the product is about, pure. No I/O, no async, no clock, no randomness, no environment, no logging.

pub mod assess;
pub mod decide;
pub mod definition;
pub mod effect;
pub mod event;
pub mod failing;
pub mod family;
pub mod fingerprint;
pub mod gate;
pub mod glob;
pub mod headway;
pub mod id;
pub mod liveness;
pub mod mirror;
pub mod outcome;
pub mod policy;
pub mod question;
pub mod ready;
pub mod report;
pub mod retry;
pub mod steady;
pub mod stop;
pub mod tamper;
pub mod task;
pub mod tier;
pub mod tool;
