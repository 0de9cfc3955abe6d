//! The verbs: each joins arguments, a use case of `service::operations` and a page of `render`.

mod agent;
mod backup;
mod check_log;
mod evidence;
mod ground;
mod house;
mod init;
mod logs;
mod look;
mod matrix;
mod node;
mod queue;
mod run;
mod slack;
mod steer;

use std::process::ExitCode;

use super::args::{self, Args, Verb};
use super::exit::{Exit, Failure, Outcome};
use ground::Ground;

/// The most threads that the program runs its tasks on: it waits for processes and the disk, and each thread costs memory.
const THREADS: usize = 4;

/// Reads the arguments, does what they ask, and gives the exit code.
pub fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS));
    let outcome = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(dispatch(args)),
        Err(error) => Err(Failure::failed(format!("cannot start: {error}"))),
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}

async fn dispatch(args: Args) -> Outcome {
    let Args { common, verb } = args;
    let ground = Ground::new(common)?;
    match verb {
        Verb::Init(init) => init::init(&ground, init),
        Verb::Demo(demo) => run::demo(&ground, demo).await,
        Verb::Doctor => house::doctor(&ground).await,
        Verb::Up(up) => run::up(&ground, up).await,
        Verb::Tick(tick) => run::tick(&ground, tick).await,
        Verb::Stop(stop) => steer::stop(&ground, stop).await,
        Verb::Start => steer::start(&ground).await,
        Verb::Status(status) => look::status(&ground, status).await,
        Verb::Show(one) => look::show(&ground, one).await,
        Verb::Why(one) => look::why(&ground, one).await,
        Verb::Plan => look::plan(&ground).await,
        Verb::Logs(logs) => logs::logs(&ground, logs).await,
        Verb::Evidence(args) => evidence::evidence(&ground, args).await,
        Verb::Add(add) => queue::add(&ground, add).await,
        Verb::Lint(lint) => queue::lint(&ground, lint).await,
        Verb::Validate(one) => steer::validate(&ground, one).await,
        Verb::Pause(s) => steer::pause(&ground, s).await,
        Verb::Resume(s) => steer::resume(&ground, s).await,
        Verb::Cancel(s) => steer::cancel(&ground, s).await,
        Verb::Retry(s) => steer::retry(&ground, s).await,
        Verb::Approve(r) => steer::approve(&ground, r).await,
        Verb::Reject(r) => steer::reject(&ground, r).await,
        Verb::Answer(a) => steer::answer(&ground, a).await,
        Verb::Node(verb) => node::node(&ground, verb).await,
        Verb::Slack(verb) => slack::slack(&ground, verb),
        Verb::Matrix(verb) => matrix::matrix(&ground, verb).await,
        Verb::Config(config) => house::config(&ground, config),
        Verb::Migrate(migrate) => house::migrate(&ground, migrate).await,
        Verb::Backup(args) => backup::backup(&ground, args).await,
        Verb::Restore(args) => backup::restore(&ground, args).await,
        Verb::Completions(completions) => house::completions(completions),
        Verb::Agent(agent) => agent::agent(&ground, agent),
        Verb::Mcp => agent::mcp(&ground).await,
    }
}

/// Prints a page or a document.
fn print(text: &str) -> Outcome {
    use std::io::Write;
    let mut out = anstream::stdout().lock();
    // A closed pipe (`| head`) is the reader's wish, not a failure.
    let text = crate::telemetry::clean(text);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(Exit::Done)
}
