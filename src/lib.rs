//! `orchestrator`: a queue in a Markdown file, workers of every kind, and a gate that makes "done" true.
//!
//! The crate is a house of floors; a module uses its own floor's traits and the floors below, never above,
//! never sideways between adapters. `docs/ARCHITECTURE.md` is the long form of this map.
//!
//! | floor | modules | may do |
//! | --- | --- | --- |
//! | 4 surfaces | [`cli`] [`mcp`] [`http`] [`demo`] | speak a protocol; translate, call `service::operations`, render |
//! | 3 service | [`service`] | the loops: load, decide, commit, perform |
//! | 2 adapters | [`store`] [`runtime`] [`workspace`] [`gate`] [`files`] [`chat`] [`bus`] [`sandbox`] [`forge`] [`scripted_model`] | one outside thing each |
//! | 1 ground | [`config`] [`clock`] [`telemetry`] | configuration, time, logs |
//! | 0 pure | [`domain`] [`mod@format`] | nothing but values |

// Tests set the scene: processes, variables, times. The program itself is checked when it is built without them.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod bus;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod files;
pub mod forge;
pub mod format;
pub mod gate;
pub mod http;
pub mod mcp;
pub mod runtime;
pub mod sandbox;
pub mod scripted_model;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod workspace;
