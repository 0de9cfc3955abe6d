//! Running: the service until it is told to end, or one pass of it.
//!
//! Invariants: one runner an instance (a lock); a pass never overlaps another; what the store refuses is tried again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::instance::Instance;
use super::member::JoinError;
use super::retention::{self, Upkeep};
use super::surface::{self, Surfaces};
use crate::clock::schedule::BadSchedule;
use crate::clock::{Ticker, ticker::TickerError};
use crate::files::lock::LockError;
use crate::files::{Changes, FileError, InstanceLock, Watch, atomic};
use crate::gate;
use crate::runtime::process;
use crate::store::StoreError;

/// The wait after a pass that the store refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Bites of old things that a tick takes at its end.
const BITES: usize = 10;

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another one runs, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue file. What was known before was seen to all the same.
    #[error(transparent)]
    Queue(FileError),
    /// The schedule.
    #[error(transparent)]
    Schedule(#[from] BadSchedule),
    /// The fleet does not let this node in.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A fleet has no single passes.
    #[error("a node of a fleet runs as a service; start it with `orchestrator up`")]
    NoTick,
    /// The tick.
    #[error(transparent)]
    Ticker(#[from] TickerError),
}

/// How a tick ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticked {
    /// Workers that go on under their supervisors.
    pub workers: usize,
}

/// Runs until `shutdown`; workers that are at it then go on, and the next run adopts them. `is_the_one` hears when it is known
/// that no other service of this instance runs.
pub async fn up(
    instance: Arc<Instance>,
    shutdown: CancellationToken,
    is_the_one: oneshot::Sender<()>,
) -> Result<Ticked, RunError> {
    let _lock = take_over(&instance).await?;
    // Whoever does not listen does not want to know.
    let _unheard = is_the_one.send(());
    let post = Post::take(&instance).await?;
    let ticked = serve(&instance, shutdown).await;
    post.leave(&instance, ticked.as_ref().is_ok_and(|t| t.workers == 0))
        .await;
    ticked
}

async fn serve(instance: &Arc<Instance>, shutdown: CancellationToken) -> Result<Ticked, RunError> {
    if instance.member.is_none() {
        let (pid, now) = (std::process::id(), instance.clock.now());
        instance.store.set_flag("service", Some(pid.into()), now).await?;
    }
    instance.signals.attend(instance.member.as_ref()).await?;
    let mut watch = eyes(instance);
    let schedule = instance.config.scheduler.schedule()?;
    let (ticker, mut ticks) = Ticker::start(schedule, instance.clock.clone(), None).await?;
    let mut engine = Engine::load(instance.clone()).await?;
    if let Some(member) = &instance.member {
        instance.signals.take_errands(member, engine.inbox()).await;
        if let Some(outlet) = &instance.outlet {
            outlet.open(&instance.signals, member).await;
        }
    }
    let upkeep = Upkeep::start(instance.clone());
    instance.spares.keep();
    let surfaces = Surfaces::start(instance).await;
    tracing::info!(home = %instance.layout.root().display(), "up");
    while !shutdown.is_cancelled() {
        instance.pulse.begins();
        let passed = engine.pass().await;
        instance.pulse.ends(passed.is_ok());
        if let Err(error) = passed {
            tracing::error!(%error, "the store refuses; trying again");
            tokio::select! { () = tokio::time::sleep(PAUSE) => continue, () = shutdown.cancelled() => break }
        }
        if let Some(error) = engine.take_queue_fault() {
            tracing::error!(%error, "the queue file cannot be read; what was read last stays in force");
        }
        tokio::select! {
            () = engine.wait() => {}
            changes = changed(instance, &mut watch) => {
                changes.heartbeats.iter().for_each(|id| engine.look_at(id));
                if changes.wake {
                    engine.look_at_queue();
                }
            }
            () = instance.signals.woken() => {}
            Some(_tick) = ticks.recv() => {
                if let Err(error) = look_for_runtimes(instance).await {
                    tracing::error!(%error, "what runtimes there are was not written down; the next tick tries again");
                }
            }
            () = shutdown.cancelled() => {}
        }
    }
    surfaces.end().await;
    ticker.stop().await?;
    upkeep.end().await;
    instance.spares.end().await;
    let ticked = leave(engine).await?;
    if let Some(outlet) = &instance.outlet {
        outlet.close().await;
    }
    instance.signals.leave().await?;
    Ok(ticked)
}

/// This node's post in its fleet, held while the service runs; nothing where there is no fleet.
struct Post {
    gone: CancellationToken,
    keeping: Option<JoinHandle<()>>,
}

impl Post {
    async fn take(instance: &Arc<Instance>) -> Result<Self, RunError> {
        let gone = CancellationToken::new();
        let Some(member) = instance.member.clone() else {
            return Ok(Self { gone, keeping: None });
        };
        member.offer(instance.fleet.offers());
        member.enter(&instance.clock).await?;
        let (clock, until) = (instance.clock.clone(), gone.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "its handle is kept, and awaited by `leave`"
        )]
        let keeping = tokio::spawn(async move { member.keep(&clock, until).await });
        Ok(Self {
            gone,
            keeping: Some(keeping),
        })
    }

    /// Gives the post up. Who leaves workers behind says nothing: a start within the lease adopts them, and later others
    /// take their tasks over.
    async fn leave(self, instance: &Instance, with_nothing: bool) {
        self.gone.cancel();
        let (Some(keeping), Some(member)) = (self.keeping, &instance.member) else {
            return;
        };
        // It ends with the token; a panic in it was told by the panic hook.
        let _ended = keeping.await;
        if let Err(error) = member.leave(with_nothing).await {
            tracing::warn!(%error, "the fleet was not told; it finds out when the lease of this node ends");
        }
    }
}

/// The watch over the files.
fn eyes(instance: &Instance) -> Watch {
    let watch = Watch::start(&instance.layout);
    if let Some(why) = watch.degraded() {
        tracing::warn!(
            why,
            "files are looked at every two seconds instead of being watched"
        );
    }
    watch
}

/// The next change that is acted on at once: any, or with `scheduler.watch = false` only a command's wake.
async fn changed(instance: &Instance, watch: &mut Watch) -> Changes {
    loop {
        let changes = watch.changed().await;
        if instance.config.scheduler.watch || changes.wake {
            return changes;
        }
    }
}

/// One pass. It ends when every worker it started runs; with `wait`, when nothing runs and nothing is due any more.
pub async fn tick(
    instance: Arc<Instance>,
    wait: bool,
    shutdown: CancellationToken,
) -> Result<Ticked, RunError> {
    if instance.member.is_some() {
        return Err(RunError::NoTick);
    }
    let _lock = take_over(&instance).await?;
    let mut engine = Engine::load(instance.clone()).await?;
    if wait {
        instance.spares.keep();
    }
    let mut watch = eyes(&instance);
    let mut fault = None;
    while !shutdown.is_cancelled() {
        engine.pass().await?;
        fault = engine.take_queue_fault().or(fault);
        if if wait {
            engine.is_idle()
        } else {
            engine.is_settled()
        } {
            break;
        }
        tokio::select! {
            () = engine.wait() => {}
            changes = changed(&instance, &mut watch) => changes.heartbeats.iter().for_each(|id| engine.look_at(id)),
            () = shutdown.cancelled() => {}
        }
    }
    instance.spares.end().await;
    let ticked = leave(engine).await?;
    surface::flush(&instance).await;
    if let Err(error) = retention::round(&instance, BITES).await {
        tracing::warn!(%error, "what is old stays until the next tick");
    }
    instance.signals.farewell().await;
    if !wait {
        entrust(&instance).await?;
    }
    fault.map_or(Ok(ticked), |fault| Err(RunError::Queue(fault)))
}

/// Whoever runs by ticks is away in between: the workers are left to their supervisors until the next one.
async fn entrust(instance: &Instance) -> Result<(), StoreError> {
    for task in instance.store.live().await? {
        let Some(attempt) = task.state.attempt() else {
            continue;
        };
        let dir = instance.layout.attempt(&task.id, attempt.epoch);
        if process::is_alive(&dir)
            && let Err(error) = process::entrust(&dir)
        {
            tracing::warn!(task = %task.id, %error, "its worker ends with its lease, unless somebody comes before");
        }
    }
    Ok(())
}

/// Where no service runs, ends every worker that the emergency stop condemns, and answers whether it did; a service that
/// runs does that itself.
pub async fn end_condemned(instance: &Arc<Instance>) -> Result<bool, StoreError> {
    if instance.member.is_some() {
        return Ok(false);
    }
    let Ok(_lock) = InstanceLock::acquire(&instance.layout.lock()) else {
        return Ok(false);
    };
    let mut engine = Engine::load(instance.clone()).await?;
    loop {
        engine.pass().await?;
        if engine.workers() == 0 {
            break;
        }
        engine.wait().await;
    }
    engine.leave().await?;
    Ok(true)
}

async fn leave(engine: Engine) -> Result<Ticked, StoreError> {
    let workers = engine.workers();
    engine.leave().await?;
    Ok(Ticked { workers })
}

/// The lock, and what has to be put in order before the first pass.
async fn take_over(instance: &Instance) -> Result<InstanceLock, RunError> {
    let lock = InstanceLock::acquire(&instance.layout.lock())?;
    sweep(instance);
    process::sweep_groups();
    if !gate::kill_orphans(&instance.layout.gates()).await {
        tracing::warn!("checks of a service that died do not end on SIGKILL; look at them with ps");
    }
    let live = instance.store.live_ids().await?;
    match instance.workspaces.prune(&live).await {
        Ok(pruned) => tracing::debug!(?pruned, "stale worktrees"),
        Err(error) => tracing::warn!(%error, "stale worktrees stay"),
    }
    look_for_runtimes(instance).await?;
    Ok(lock)
}

/// What a killed writer left behind.
fn sweep(instance: &Instance) {
    let layout = &instance.layout;
    for folder in [
        layout.root().to_owned(),
        layout.heartbeats(),
        layout.progress(),
        layout.state(),
    ] {
        if let Err(error) = atomic::sweep(&folder) {
            tracing::debug!(%error, "nothing was swept");
        }
    }
}

async fn look_for_runtimes(instance: &Instance) -> Result<(), StoreError> {
    instance.fleet.probe().await;
    for runtime in instance.fleet.report().into_iter().filter(|r| r.wanted) {
        if let Err(missing) = runtime.standing {
            tracing::debug!(runtime = runtime.name, %missing, "cannot be used");
        }
    }
    if let Some(member) = &instance.member {
        member.offer(instance.fleet.offers());
    }
    instance
        .fleet
        .remember(&*instance.store, instance.clock.now())
        .await
}
