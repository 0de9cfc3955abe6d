//! Whose worker is dead, nodes that are lost, and tasks that move between them.

use super::scene::*;
use super::table::*;
use crate::domain::decide::*;
use crate::domain::gate::CheckVerdict;
use crate::domain::node::NodeName;
use crate::domain::outcome::Outcome;
use crate::domain::stage::{Destination, Stage};
use crate::domain::task::Block;
use crate::domain::tier::{Route, TierName};

#[test]
fn a_slot_is_free_only_when_the_worker_is_known_to_be_dead() {
    for (name, state) in states() {
        let before = task(state);
        let Some(live) = before.state.attempt().cloned() else {
            continue;
        };
        for (event_name, event) in events() {
            // The workers of a node end with its lease, and before it; a restore ends those that it finds.
            let proofs = ["finished", "not started", "node lost", "restored"];
            let proves_death = proofs.iter().any(|proof| event_name.starts_with(proof));
            let Ok(Ruling::Change(d)) = decided(&before, event) else {
                continue;
            };
            let still = d.task.state.attempt() == Some(&live);
            assert!(still || proves_death, "{event_name} in {name} forgot the worker");
        }
    }
}

#[test]
fn what_a_lost_node_had_goes_on_elsewhere_and_what_it_merged_stays() {
    let node = NodeName::parse("host-1").unwrap();
    let lost = |epoch| Event::NodeLost {
        epoch,
        node: node.clone(),
    };
    let since = now();
    let d = changed(
        &task(State::Running {
            since,
            attempt: attempt(),
        }),
        lost(7),
    );
    let Some(AttemptChange::Closed { report, .. }) = &d.attempt else {
        panic!("{:?}", d.attempt);
    };
    assert_eq!(report.outcome, Outcome::Lost);
    assert!(report.reason.contains("node host-1"), "{}", report.reason);
    assert_eq!(
        d.task.history.spent, 1,
        "a task that brings down its nodes must come to an end"
    );
    let judged = |stage| {
        let mut task = task(State::Validating {
            since,
            claim: claim(),
            stage,
        });
        task.history.last_tier = Some(TierName::new("haiku"));
        task
    };
    let d = changed(&judged(Stage::Checks), lost(7));
    let State::Ready { next, .. } = &d.task.state else {
        panic!("{:?}", d.task.state);
    };
    assert_eq!((next.tier.as_str(), next.start), ("haiku", StartKind::Resume));
    let landing = Stage::Landing {
        report: Box::new(gate_report(CheckVerdict::Passed)),
        to: Destination::Base,
    };
    for (task, event) in [
        (judged(landing), lost(7)),
        (judged(Stage::Checks), lost(6)),
        (
            task(State::Running {
                since,
                attempt: attempt(),
            }),
            lost(6),
        ),
    ] {
        assert!(matches!(decided(&task, event), Ok(Ruling::NoChange(_))));
    }
}

#[test]
fn a_session_is_not_taken_to_another_node() {
    let to = |node: Option<&str>| {
        let mut before = task(State::Ready {
            since: now(),
            next: Next {
                session: Some("s".into()),
                runtime: Some(route().runtime),
                start: StartKind::Resume,
                ..next()
            },
        });
        before.history.last_node = Some(NodeName::parse("a").unwrap());
        let route = Route {
            node: node.map(|name| NodeName::parse(name).unwrap()),
            ..route()
        };
        let d = changed(&before, Event::Claimed(route));
        (
            d.task.state.attempt().unwrap().session.clone(),
            d.task.history.last_node,
        )
    };
    assert_eq!(to(Some("a")), (Some("s".into()), NodeName::parse("a").ok()));
    assert_eq!(to(Some("b")), (None, NodeName::parse("b").ok()));
}

#[test]
fn after_a_restore_no_number_is_given_out_twice() {
    for (name, state) in states() {
        let before = task(state);
        let event = Event::Restored { seen: 9 };
        if before.state.is_completed() {
            assert!(
                matches!(decided(&before, event), Ok(Ruling::NoChange(_))),
                "{name}"
            );
            continue;
        }
        let after = changed(&before, event).task;
        assert_eq!(after.epoch, 9, "{name}");
        assert_eq!(after.history.opened, before.history.opened + 2, "{name}");
        assert!(after.state.attempt().is_none(), "{name}");
        let judged = matches!(
            after.state,
            State::Validating { .. }
                | State::Blocked {
                    block: Block::Approval { .. } | Block::Landing { .. },
                    ..
                }
        );
        assert!(!judged, "{name}: what is judged would be of an older attempt");
        let again = decided(&after, Event::Restored { seen: 9 });
        assert!(matches!(again, Ok(Ruling::NoChange(_))), "{name}: {again:?}");
    }
}
