//! The tools, a method each over [`Seat`]. What is said is written down for the driver; a refusal is a tool's error that
//! the model can read and mend.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::Serialize;
use serde_json::json;

use super::arguments::{Criterion, Done, Heartbeat, MayBeReason, Reason, Spawn, Text};
use crate::format::request::Request;
use crate::runtime::outcome_file::Claim;
use crate::service::seat::{Seat, SeatError};

const INSTRUCTIONS: &str = "The orchestrator that started you listens here. Send a heartbeat when you begin something new, \
     log what you did, and end with done, continue, blocked or needs_stronger_model. What you say is a claim: the \
     orchestrator itself runs the checks on your work.";
const END: &str = "Written down. End your turn now.";

/// The tools of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    seat: Seat,
}

type Said = Result<String, String>;
type Read = Result<CallToolResult, String>;

impl Tools {
    pub(super) fn new(seat: Seat) -> Self {
        Self { seat }
    }

    /// Does something with the attempt's files, off the threads that serve.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Seat) -> Result<T, SeatError> + Send + 'static,
    ) -> Result<T, String> {
        let seat = self.seat.clone();
        let done = tokio::task::spawn_blocking(move || act(&seat)).await;
        done.map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }

    async fn say(
        &self,
        answer: &str,
        act: impl FnOnce(&Seat) -> Result<(), SeatError> + Send + 'static,
    ) -> Said {
        self.with(act).await.map(|()| answer.to_owned())
    }

    async fn claim(&self, claim: Claim, reason: Option<String>) -> Said {
        self.say(END, move |seat| seat.claim(claim, reason)).await
    }
}

fn document(value: impl Serialize) -> Read {
    let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    Ok(CallToolResult::structured(value))
}

#[tool_router]
impl Tools {
    #[tool(
        description = "A sign of life: how far you are and what you are doing. Silence for long counts as stuck."
    )]
    async fn heartbeat(&self, Parameters(said): Parameters<Heartbeat>) -> Said {
        let act = move |seat: &Seat| seat.heartbeat(said.pct, said.phase);
        self.say("Heard.", act).await
    }

    #[tool(description = "An entry of the work log: what you did or found, in one or two sentences.")]
    async fn log(&self, Parameters(said): Parameters<Text>) -> Said {
        if said.text.trim().is_empty() {
            return Err("the text is empty; say what you did".to_owned());
        }
        self.say("Logged.", move |seat| seat.log(&said.text)).await
    }

    #[tool(
        description = "A question to a person. End your turn after it: the answer stands in the prompt with which \
                          you go on."
    )]
    async fn ask(&self, Parameters(said): Parameters<Text>) -> Said {
        let request = Request::Ask { text: said.text };
        self.say(END, move |seat| seat.request(request)).await
    }

    #[tool(description = "A sub-task that another worker does; this task is not finished before it is.")]
    async fn spawn(&self, Parameters(spawn): Parameters<Spawn>) -> Said {
        let request = Request::Spawn(spawn.into());
        let answer = "Asked for. If it is refused, the progress file says why.";
        self.say(answer, move |seat| seat.request(request)).await
    }

    #[tool(
        description = "Your claim that the task is complete. The orchestrator then runs its checks on your work, and looks up \
                       the evidence for each acceptance criterion."
    )]
    async fn done(&self, Parameters(said): Parameters<Done>) -> Said {
        let unfit = |criterion: &Criterion| criterion.number == 0 || criterion.evidence.trim().is_empty();
        if said.criteria.iter().any(unfit) {
            return Err("a criterion has a number from 1 on, and evidence that is not empty".to_owned());
        }
        let act = move |seat: &Seat| {
            for criterion in &said.criteria {
                seat.criterion(criterion.number, &criterion.evidence)?;
            }
            seat.claim(Claim::Done, Some(said.reason))
        };
        self.say(END, act).await
    }

    #[tool(description = "Only a person can help; say precisely with what.")]
    async fn blocked(&self, Parameters(said): Parameters<Reason>) -> Said {
        self.claim(Claim::Blocked, Some(said.reason)).await
    }

    #[tool(
        name = "continue",
        description = "You made progress and there is more to do: you go on in a new turn."
    )]
    async fn go_on(&self, Parameters(said): Parameters<MayBeReason>) -> Said {
        self.claim(Claim::Continue, said.reason).await
    }

    #[tool(
        description = "The task is too hard for this model: a stronger one takes over from the progress file."
    )]
    async fn needs_stronger_model(&self, Parameters(said): Parameters<MayBeReason>) -> Said {
        self.claim(Claim::NeedsStrongerModel, said.reason).await
    }

    #[tool(
        description = "Your task: description, acceptance criteria (numbered from 1, in their order), the checks that will be run.",
        annotations(read_only_hint = true)
    )]
    async fn task(&self) -> Read {
        document(self.with(Seat::task).await?)
    }

    #[tool(
        description = "What the gate said of earlier attempts at this task, the oldest first.",
        annotations(read_only_hint = true)
    )]
    async fn gate_reports(&self) -> Read {
        let reports = self.with(Seat::gate_reports).await?;
        document(json!({ "reports": reports }))
    }

    #[tool(
        description = "The progress file of this task: what was done and what is left.",
        annotations(read_only_hint = true)
    )]
    async fn progress(&self) -> Said {
        self.with(Seat::progress).await
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("orchestrator", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}
