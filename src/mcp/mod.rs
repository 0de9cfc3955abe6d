//! Floor 4, the surface that workers' own tools speak to: an MCP server on standard input and output.
//!
//! It offers what `orchestrator agent …` offers, and the worker's task, gate reports and progress to read; all of it is
//! [`Seat`]. Invariants: it serves the one attempt whose environment it has, and refuses to start where the token does
//! not prove that; standard output carries the protocol and nothing else; it ends when its input does.
//! Deliberately absent: any tool that a person decides with (approve, retry, budgets), and any other task.

mod arguments;
mod tools;

use rmcp::ServiceExt;
use rmcp::transport::io::stdio_pipes;

use crate::service::seat::Seat;
use tools::Tools;

/// The server ended before its client was done with it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The first messages were not those of an MCP client.
    #[error("no MCP client speaks on standard input: {0}; this verb is started by a worker's own tools")]
    NoClient(String),
    /// The server itself broke off.
    #[error("the server broke off: {0}")]
    Broken(String),
}

/// Serves one client until it closes its side.
pub async fn serve(seat: Seat) -> Result<(), ServeError> {
    let service = match Tools::new(seat).serve(stdio_pipes()).await {
        // A client that goes away without a word wanted nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        served => served.map_err(|error| ServeError::NoClient(error.to_string()))?,
    };
    match service.waiting().await {
        Ok(_closed) => Ok(()),
        Err(error) => Err(ServeError::Broken(error.to_string())),
    }
}
