//! The faults: what is done to a fleet, and undone again. Each strikes at once, whatever the fleet is just doing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::evidence::{Pause, since_boot};
use super::fleet::Fleet;
use super::processes::{self, Supervised};
use super::wire::{Cut, Passes};
use crate::simulation::dice::Dice;

/// What is done; the numbers are those of docs/FAULTS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// F01: a node is killed, and comes back at once or after its lease.
    KillNode,
    /// F01: the leader is killed.
    KillLeader,
    /// F03: a node is killed again while it recovers.
    KillTwice,
    /// F04: a worker is killed.
    KillWorker,
    /// F04: a supervisor is killed.
    KillSupervisor,
    /// F06: the leader stands still for twice its lease, its supervisors do not.
    FreezeLeader,
    /// F06: a node with workers stands still.
    FreezeNode,
    /// F06: a machine stands still: node, supervisors and workers.
    FreezeMachine,
    /// F07: a machine is suspended: it stands still, and its wall clock is an hour off for a while after it woke up.
    Suspend,
    /// F08: the wall clock of a node jumps forth and back again.
    ClockForth,
    /// F08: it jumps back, and forth again.
    ClockBack,
    /// F09: PostgreSQL dies without a word and is started again.
    KillPostgres,
    /// F09: all its connections are ended by an administrator.
    TerminateBackends,
    /// F12: all connections of a node are cut.
    CutWires,
    /// F11: a connection is cut about a COMMIT.
    LoseCommits,
    /// F12: a node hears and says nothing for twice its lease.
    Partition,
    /// F12: what a node says arrives, the answers do not, or the other way round.
    OneWay,
    /// F12: connections of which the other end has gone without a word.
    HalfOpen,
    /// The bus dies, and comes back empty.
    KillValkey,
    /// The bus forgets everything.
    FlushValkey,
    /// The bus has no room.
    FillValkey,
    /// The bus stands still.
    FreezeValkey,
    /// F20: a node is ended in good order with work in flight, and comes back.
    Restart,
}

/// How often each fault struck.
pub type Tally = BTreeMap<Fault, u32>;

impl Fault {
    /// Does it, and undoes it.
    pub fn strike(self, fleet: &mut Fleet, dice: &mut Dice) -> u32 {
        let any = dice.roll(fleet.nodes.len());
        match self {
            Self::KillNode => kill_node(fleet, any, dice),
            Self::KillLeader => kill_node(fleet, leader(fleet), dice),
            Self::KillTwice => kill_twice(fleet, any, dice),
            Self::KillWorker => return kill_one(fleet, dice, |of| of.tree.first().copied()),
            Self::KillSupervisor => return kill_one(fleet, dice, |of| Some(of.supervisor)),
            Self::FreezeLeader => freeze(fleet, leader(fleet)),
            Self::FreezeNode => freeze(fleet, any),
            Self::FreezeMachine => freeze_machine(fleet, any, 0),
            Self::Suspend => {
                freeze_machine(fleet, any, dice.pick(&[3_600, -3_600]));
                last(fleet.lease / 2);
                fleet.nodes[any].clock.set(0);
            }
            Self::ClockForth | Self::ClockBack => jump(self, fleet, any, dice),
            Self::KillPostgres => kill_postgres(fleet, dice),
            Self::TerminateBackends => fleet.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            ),
            Self::LoseCommits => return lose_commits(fleet, dice),
            Self::CutWires => {
                fleet.nodes[any].store.cut();
                fleet.nodes[any].bus.cut();
            }
            Self::Partition => hold(fleet, any, Passes::Nothing),
            Self::OneWay => {
                let passes = dice.pick(&[Passes::OnlyAnswers, Passes::OnlyQuestions]);
                hold(fleet, any, passes);
            }
            Self::HalfOpen => {
                fleet.may_repeat = true;
                fleet.nodes[any].store.leave_half_open();
                fleet.nodes[any].bus.leave_half_open();
                last(fleet.lease * 2);
            }
            Self::KillValkey => {
                fleet.valkey.kill();
                last(fleet.lease / 2);
                fleet.valkey.restart();
            }
            Self::FlushValkey => drop(fleet.runtime.block_on(fleet.valkey.say(&["FLUSHALL"]))),
            Self::FillValkey => fill_valkey(fleet),
            Self::FreezeValkey => {
                fleet.valkey.freeze();
                last(fleet.lease / 2);
                fleet.valkey.thaw();
            }
            Self::Restart => {
                let node = &mut fleet.nodes[any];
                assert_eq!(node.end(), Some(0), "node {} ends in good order", node.name);
                fleet.start(any);
            }
        }
        1
    }
}

/// A fault's own time.
fn last(time: Duration) {
    std::thread::sleep(time);
}

fn leader(fleet: &Fleet) -> usize {
    fleet.until("a leader", |fleet| fleet.leader())
}

fn kill_node(fleet: &mut Fleet, n: usize, dice: &mut Dice) {
    fleet.may_repeat = true;
    fleet.nodes[n].kill();
    if dice.roll(2) == 0 {
        last(fleet.lease * 3 / 2);
    }
    fleet.start(n);
}

fn kill_twice(fleet: &mut Fleet, n: usize, dice: &mut Dice) {
    fleet.may_repeat = true;
    fleet.nodes[n].kill();
    fleet.start(n);
    last(Duration::from_millis(dice.roll(600) as u64));
    fleet.nodes[n].kill();
    fleet.start(n);
}

/// Kills a process of some attempt; nothing where none runs.
fn kill_one(fleet: &Fleet, dice: &mut Dice, which: fn(&Supervised) -> Option<u32>) -> u32 {
    let all: Vec<u32> = { fleet.nodes.iter() }
        .flat_map(|node| processes::of(&node.world.root()))
        .filter_map(|of| which(&of))
        .collect();
    if all.is_empty() {
        return 0;
    }
    u32::from(signal(dice.pick(&all), Signal::SIGKILL))
}

/// Whether there was such a process.
fn signal(pid: u32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), signal).is_ok()
}

/// Whoever has gone meanwhile needs none.
fn signal_all(pids: &[u32], what: Signal) {
    for pid in pids {
        signal(*pid, what);
    }
}

fn freeze(fleet: &mut Fleet, n: usize) {
    fleet.may_repeat = true;
    fleet.nodes[n].signal(Signal::SIGSTOP);
    last(fleet.lease * 2);
    fleet.nodes[n].signal(Signal::SIGCONT);
}

/// The node first, so that nobody is started meanwhile; and all at once again, with a wall clock so many seconds off.
fn freeze_machine(fleet: &mut Fleet, n: usize, off: i64) {
    fleet.may_repeat = true;
    fleet.nodes[n].signal(Signal::SIGSTOP);
    let all = processes::of(&fleet.nodes[n].world.root());
    let pids: Vec<u32> = all
        .iter()
        .flat_map(|of| [of.supervisor].into_iter().chain(of.tree.iter().copied()))
        .collect();
    signal_all(&pids, Signal::SIGSTOP);
    last(fleet.lease * 2);
    fleet.nodes[n].clock.set(off);
    fleet.nodes[n].signal(Signal::SIGCONT);
    signal_all(&pids, Signal::SIGCONT);
    let thawed_at = since_boot();
    fleet.paused.extend(all.into_iter().map(|of| Pause {
        task: of.task,
        epoch: of.epoch,
        thawed_at,
    }));
}

fn jump(fault: Fault, fleet: &Fleet, n: usize, dice: &mut Dice) {
    let seconds = dice.pick(&[300, 3_600, 86_400]);
    let node = &fleet.nodes[n];
    node.clock.set(if fault == Fault::ClockForth {
        seconds
    } else {
        -seconds
    });
    last(fleet.lease / 2);
    node.clock.set(0);
}

fn kill_postgres(fleet: &mut Fleet, dice: &mut Dice) {
    fleet.may_repeat = true;
    fleet.postgres.kill();
    last(Duration::from_millis(dice.roll(2_000) as u64));
    let Fleet {
        postgres, runtime, ..
    } = fleet;
    runtime.block_on(postgres.start_again());
}

/// One for each way in which a commit can be cut, at whichever node commits next.
fn lose_commits(fleet: &Fleet, dice: &mut Dice) -> u32 {
    let count = |fleet: &Fleet| fleet.nodes.iter().map(|node| node.store.cuts()).sum::<u32>();
    let before = count(fleet);
    for cut in [Cut::After, Cut::Amid, Cut::Before] {
        let so_far = count(fleet);
        let first = dice.roll(fleet.nodes.len());
        fleet.nodes[first].store.arm(cut);
        fleet.nodes[(first + 1) % fleet.nodes.len()].store.arm(cut);
        let deadline = Instant::now() + fleet.lease;
        while count(fleet) == so_far && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    count(fleet) - before
}

fn hold(fleet: &mut Fleet, n: usize, passes: Passes) {
    fleet.may_repeat = true;
    let node = &fleet.nodes[n];
    node.store.let_pass(passes);
    node.bus.let_pass(passes);
    last(fleet.lease * 2);
    node.store.let_pass(Passes::Everything);
    node.bus.let_pass(Passes::Everything);
}

fn fill_valkey(fleet: &Fleet) {
    let set = |memory: &str| {
        let words = ["CONFIG", "SET", "maxmemory", memory];
        drop(fleet.runtime.block_on(fleet.valkey.say(&words)));
    };
    // Less than it has already, and nothing is evicted: every write is refused.
    set("1kb");
    last(fleet.lease / 2);
    set("0");
}
