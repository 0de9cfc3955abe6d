//! `node`: the nodes of a fleet.

use serde_json::json;

use super::super::args::node::{Node, Parked};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{nodes as page, text::count};
use super::ground::{Ground, of_store};
use super::steer::refused;
use crate::service::operations::{self, NodeError, ParkedError};
use crate::service::view::VERSION;

pub(super) async fn node(ground: &Ground, verb: Node) -> Outcome {
    match verb {
        Node::List => return list(ground).await,
        Node::Parked(parked) => return self::parked(ground, parked).await,
        _ => {}
    }
    let instance = ground.persons_instance().await?;
    let by = ground.person();
    let (name, done) = match verb {
        Node::List | Node::Parked(_) => return Ok(Exit::Done),
        Node::Cordon(node) => {
            operations::cordon(&instance, &node.name, Some(&by))
                .await
                .map_err(failure)?;
            (
                node.name,
                "takes no new work; `orchestrator node uncordon` lets it come again".to_owned(),
            )
        }
        Node::Uncordon(node) => {
            operations::cordon(&instance, &node.name, None)
                .await
                .map_err(failure)?;
            (node.name, "takes work again".to_owned())
        }
        Node::Drain(drain) => {
            let name = drain.node.name;
            let stopped = operations::drain(&instance, &name, &by, drain.within)
                .await
                .map_err(failure)?;
            let stopped = match stopped {
                0 => "everything ended by itself".to_owned(),
                n => format!("{} stopped, to go on elsewhere", count(n, "worker")),
            };
            (name, format!("is empty and takes no new work; {stopped}"))
        }
        Node::Remove(node) => {
            operations::remove(&instance, &node.name).await.map_err(failure)?;
            (node.name, "is forgotten".to_owned())
        }
        Node::Queue(node) => {
            operations::give_queue(&instance, &node.name)
                .await
                .map_err(failure)?;
            (node.name, "keeps the queue file from now on".to_owned())
        }
    };
    super::print(&format!("{name} {done}\n"))
}

async fn list(ground: &Ground) -> Outcome {
    let instance = ground.any_instance().await?;
    let nodes = operations::nodes(&instance).await.map_err(of_store)?;
    let nodes = nodes.ok_or_else(|| failure(NodeError::NoFleet))?;
    ground.show(&json!({ "version": VERSION, "nodes": &nodes }), |look| {
        page::nodes(&nodes, look)
    })
}

async fn parked(ground: &Ground, args: Parked) -> Outcome {
    let instance = match args.clear {
        true => ground.persons_instance().await?,
        false => ground.any_instance().await?,
    };
    let parked = operations::parked(&instance, args.clear).await;
    let parked = parked.map_err(|error| match error {
        ParkedError::NoBus => Failure::refused(error.to_string()),
        ParkedError::Store(error) => of_store(error),
        ParkedError::Bus(_) => Failure::new(Exit::Unreachable, error.to_string()),
    })?;
    let document = json!({ "version": VERSION, "cleared": args.clear, "parked": &parked });
    ground.show(&document, |look| page::parked(&parked, args.clear, look))
}

fn failure(error: NodeError) -> Failure {
    match error {
        NodeError::NoFleet | NodeError::There(_) => Failure::refused(error.to_string()),
        NodeError::Unknown(_) => {
            Failure::new(Exit::NotFound, error.to_string()).help("`orchestrator node list` tells the names")
        }
        NodeError::Store(error) => of_store(error),
        NodeError::Apply(error) => refused(error),
    }
}
