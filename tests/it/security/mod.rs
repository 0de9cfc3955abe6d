//! What an adversary tries, by the rows of docs/SECURITY.md. Each test says which control, taken out, was seen to fail it.

mod s01_names;
mod s02_arguments;
mod s09_redaction;
mod s10_approvals;
mod s11_hijack;
mod s11_texts;
