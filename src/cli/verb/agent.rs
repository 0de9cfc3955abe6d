//! `agent` and `mcp`: what a worker says about itself, with nothing but the environment of its attempt.

use super::super::args::house::{Agent, Said, Spawn};
use super::super::exit::{Exit, Failure, Outcome};
use super::ground::Ground;
use crate::format::request::{self, Request};
use crate::runtime::outcome_file::Claim;
use crate::service::seat::{Seat, SeatError};

/// What to do next after a question, for the worker.
const ASKED: &str = "Your question goes to a person. End your turn now (exit code 77 where you are a command); \
                     the answer stands in the prompt with which you go on.";

pub(super) fn agent(ground: &Ground, verb: Agent) -> Outcome {
    let seat = Seat::of(&ground.environment, &ground.clock).map_err(unheard)?;
    say(&seat, verb).map_err(unheard)?;
    Ok(Exit::Done)
}

pub(super) async fn mcp(ground: &Ground) -> Outcome {
    let seat = Seat::proven(&ground.environment, &ground.clock).map_err(unheard)?;
    let served = crate::mcp::serve(seat).await;
    served.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(Exit::Done)
}

fn say(seat: &Seat, verb: Agent) -> Result<(), SeatError> {
    let claim = |claim, said: Said| seat.claim(claim, said.reason);
    match verb {
        Agent::Heartbeat { pct, phase } => seat.heartbeat(pct, phase),
        Agent::Log { text } => seat.log(&text.join(" ")),
        Agent::Criterion { number, evidence } => seat.criterion(number.into(), &evidence.join(" ")),
        Agent::Ask { text } => {
            let text = text.join(" ");
            seat.request(Request::Ask { text })?;
            eprintln!("{ASKED}");
            Ok(())
        }
        Agent::Spawn(spawn) => seat.request(Request::Spawn(part(spawn))),
        Agent::Done(said) => claim(Claim::Done, said),
        Agent::Blocked(said) => claim(Claim::Blocked, said),
        Agent::Continue(said) => claim(Claim::Continue, said),
        Agent::NeedsStrongerModel(said) => claim(Claim::NeedsStrongerModel, said),
    }
}

fn part(spawn: Spawn) -> request::Spawn {
    request::Spawn {
        id: spawn.id,
        title: spawn.title,
        description: spawn.description,
        tier: spawn.tier,
        depends_on: spawn.depends_on,
        validation: spawn.validation,
    }
}

/// What a worker is told that is not heard, with its exit code.
fn unheard(error: SeatError) -> Failure {
    let what = error.to_string();
    match error {
        SeatError::Unset { .. } => Failure::usage(what)
            .help("this verb is for workers, who get it from the orchestrator; people use the other verbs"),
        SeatError::NoTask(_) | SeatError::Unusable(_) => Failure::usage(what),
        SeatError::Refused { .. } => Failure::refused(what),
        SeatError::File(_) | SeatError::Given(_) => Failure::failed(what),
    }
}
