//! Floor 3: the loops. Load, decide, commit, perform.
//!
//! [`engine`] is the one loop; [`dispatcher`] the only caller of `decide`; [`driver`] is beside each worker,
//! [`judge`] beside each gate, [`reviewer`] beside each reviewer; [`containment`] says who is in which cell; [`outbox`] performs what was committed;
//! [`queue_sync`] keeps file and store true to each other, [`queue_repository`] is the file where that is in git; [`operations`] are the use cases of every surface for people,
//! [`seat`] is what a worker can say and read;
//! [`signals`] tell other processes what was committed, and nodes what concerns them; [`outlet`] brings what workers put out to
//! where every node can read it.
//! Deliberately absent: rendering (surfaces), rules (domain), SQL, git and process handling (adapters).

pub mod assessor;
pub mod attachments;
pub mod bench;
pub mod board;
mod consult;
pub mod containment;
pub mod dispatcher;
pub mod driver;
pub mod engine;
pub mod exhibits;
pub mod family;
pub mod files;
pub mod fleet;
pub mod gate_output;
pub mod given;
pub mod instance;
pub mod intake;
pub mod judge;
mod landing;
pub mod member;
pub mod operations;
pub mod outbox;
pub mod outlet;
pub mod prompt;
pub mod pulse;
pub mod queue_repository;
pub mod queue_sync;
pub mod reading;
pub mod retention;
pub mod reviewer;
pub mod run;
pub mod seat;
pub mod signals;
pub mod signs;
pub mod surface;
pub mod token;
pub mod view;

use crate::domain::ready::DependencyState;
use crate::store::Standing;

/// How a stored task stands for those that depend on it.
fn standing(standing: Standing) -> DependencyState {
    match standing {
        Standing::Live => DependencyState::Live,
        Standing::Completed => DependencyState::Completed,
        Standing::Cancelled => DependencyState::Cancelled,
    }
}
