//! Chaos: three nodes as processes of their own on private servers, faults of all kinds, and a proof that nothing was lost,
//! doubled or overlapping (docs/FAULTS.md).
//!
//! `ORCHESTRATOR_CHAOS_SEED` plays a story again; `ORCHESTRATOR_CHAOS_MINUTES` plays it again and again with other seeds.

mod check;
mod clock;
mod disk;
mod evidence;
mod fault;
mod fleet;
mod ledger;
mod processes;
mod steps;
mod story;
mod takeover;
mod upgrade;
pub mod wire;

use fault::Fault;

#[test]
fn nodes_die_freeze_and_come_back() {
    story::play(
        "nodes",
        &[
            Fault::KillNode,
            Fault::KillLeader,
            Fault::KillTwice,
            Fault::KillWorker,
            Fault::KillSupervisor,
            Fault::FreezeLeader,
            Fault::FreezeNode,
            Fault::FreezeMachine,
            Fault::Suspend,
            Fault::Restart,
        ],
    );
}

#[test]
fn the_store_dies_and_wires_break() {
    story::play(
        "wires",
        &[
            Fault::KillPostgres,
            Fault::TerminateBackends,
            Fault::LoseCommits,
            Fault::CutWires,
            Fault::Partition,
            Fault::OneWay,
            Fault::HalfOpen,
        ],
    );
}

#[test]
fn the_bus_and_the_clocks_fail() {
    story::play(
        "bus and clocks",
        &[
            Fault::KillValkey,
            Fault::FlushValkey,
            Fault::FillValkey,
            Fault::FreezeValkey,
            Fault::ClockForth,
            Fault::ClockBack,
        ],
    );
}
