//! Control groups: one for each attempt, made below the group that this program runs in.
//!
//! A group holds a worker's whole tree, whatever it does to leave it (`setsid`, double forks, a wiped environment), so
//! it says who is left and ends them all; where the memory and process controllers can be had it limits them too. Version
//! 2 is used where there is one, with its controllers where they are delegated to us; version 1 beside it. What could
//! not be had is absent from the [`Group`], and its user falls back and says so.
//!
//! Deliberately absent: moving processes that are not ours, and groups outside of our own. Known limit: a worker that runs
//! as root and can write below `/sys/fs/cgroup` may leave its group; a sandbox takes that way from it.

mod branch;
mod group;
mod place;

pub(in crate::runtime) use group::{Bounds, Group, sweep};
