//! The verbs that change something: commands to tasks, the emergency stop, the gate by hand.

use super::super::args::steer::{Answer, Approval, Ruling, Steer, Stop, Validate};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render;
use super::ground::{Ground, of_store};
use super::look::unknown;
use crate::domain::event::Command;
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::service::dispatcher::{Applied, ApplyError};
use crate::service::operations;

pub(super) async fn pause(ground: &Ground, args: Steer) -> Outcome {
    command(ground, &args.id, Command::Pause).await
}

pub(super) async fn resume(ground: &Ground, args: Steer) -> Outcome {
    command(ground, &args.id, Command::Resume).await
}

pub(super) async fn cancel(ground: &Ground, args: Steer) -> Outcome {
    let reason = args.reason.unwrap_or_else(|| "no reason given".to_owned());
    command(ground, &args.id, Command::Cancel { reason }).await
}

pub(super) async fn retry(ground: &Ground, args: Steer) -> Outcome {
    command(ground, &args.id, Command::Retry).await
}

pub(super) async fn approve(ground: &Ground, args: Approval) -> Outcome {
    let (comment, seen) = (args.ruling.comment.unwrap_or_default(), args.commit);
    command(ground, &args.ruling.id, Command::Approve { comment, seen }).await
}

pub(super) async fn reject(ground: &Ground, args: Ruling) -> Outcome {
    let comment = args.comment.unwrap_or_else(|| "no comment".to_owned());
    command(ground, &args.id, Command::Reject { comment }).await
}

pub(super) async fn answer(ground: &Ground, args: Answer) -> Outcome {
    let text = args.text.join(" ").trim().to_owned();
    if text.is_empty() {
        return Err(Failure::usage("the answer is empty").help("say it: `orchestrator answer ID TEXT`"));
    }
    command(ground, &args.id, Command::Answer { text }).await
}

async fn command(ground: &Ground, id: &TaskId, command: Command) -> Outcome {
    let instance = ground.persons_instance().await?;
    let verb = command.verb();
    match operations::apply(&instance, id, &ground.person(), command).await {
        Ok(Applied::Changed(task)) => {
            let now = match &task.state {
                State::Stopping { .. } => "its worker is being ended".to_owned(),
                state => format!("it is {} now", state.name()),
            };
            super::print(&format!("{verb} {id}: {now}\n"))
        }
        Ok(Applied::Unchanged(why)) => super::print(&format!("{verb} {id}: nothing to do, it {why}\n")),
        Err(error) => Err(refused(error)),
    }
}

pub(super) fn refused(error: ApplyError) -> Failure {
    match error {
        ApplyError::Unknown(id) => unknown(&id),
        ApplyError::Store(error) => of_store(error),
        ApplyError::Refused(refused) => Failure::refused(refused.to_string()).help(format!(
            "`orchestrator why {}` tells where it stands",
            refused.task
        )),
        ApplyError::Contended(_) => Failure::failed(error.to_string()),
    }
}

pub(super) async fn stop(ground: &Ground, args: Stop) -> Outcome {
    if !args.all {
        return Err(Failure::usage("stop ends every worker; say so with --all")
            .help("`orchestrator stop --all`; to hold back one task: `orchestrator pause ID`"));
    }
    let instance = ground.persons_instance().await?;
    operations::stop_all(&instance, &ground.person())
        .await
        .map_err(of_store)?;
    super::print("everything is stopped, also after a restart, until `orchestrator start`\n")
}

pub(super) async fn start(ground: &Ground) -> Outcome {
    let instance = ground.persons_instance().await?;
    let held = instance.stopped().await.map_err(of_store)?;
    operations::start(&instance).await.map_err(of_store)?;
    super::print(match held {
        Some(held) if held.is_after_a_restore() => "the hold after the restore is lifted\n",
        _ => "the emergency stop is lifted\n",
    })
}

pub(super) async fn validate(ground: &Ground, args: Validate) -> Outcome {
    let instance = ground.persons_instance().await?;
    let asked = operations::ByHand {
        commit: args.commit,
        no_review: args.no_review,
    };
    let judged = operations::validate(&instance, &args.id, &asked)
        .await
        .map_err(refused)?;
    let operations::Judged {
        passed,
        gate,
        review_left_out,
    } = judged.map_err(|why| Failure::refused(format!("the gate cannot judge '{}' now: {why}", args.id)))?;
    let document = serde_json::json!({ "version": crate::service::view::VERSION, "id": args.id.as_str(), "gate": &gate, "review_left_out": review_left_out });
    let left_out = match review_left_out {
        true => {
            "not reviewed: left out by --no-review; the service has this task reviewed before it is done\n"
        }
        false => "",
    };
    ground.show(&document, |look| match gate.verdict.as_str() {
        "none" if !render::gate::asks(&gate) => format!(
            "no verdict: there is no check to run for '{}', so a person decides\n  help: give it a Validation block, \
             or add [gate] checks to orchestrator.toml\n",
            args.id
        ),
        _ => render::gate::gate(&gate, look) + left_out,
    })?;
    Ok(if passed { Exit::Done } else { Exit::Failed })
}
