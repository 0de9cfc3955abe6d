//! The `messages` worker against the scripted model: the real binary, real folders, loopback alone.

mod rig;
mod sessions;
mod tools;
mod troubles;
mod work;
