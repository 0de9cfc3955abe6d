//! What people say to a task reaches its worker before its work is judged.

use super::scene::*;
use crate::domain::decide::*;
use crate::domain::event::Command;
use crate::domain::outcome::Outcome;
use crate::domain::task::StartKind;

fn say(text: &str) -> Event {
    Event::Person {
        by: "jane".into(),
        command: Command::Say {
            text: text.into(),
            files: Vec::new(),
        },
    }
}

fn running() -> Task {
    task(State::Running {
        since: now(),
        attempt: attempt(),
    })
}

fn end(outcome: Outcome) -> Event {
    Event::Finished {
        epoch: 7,
        report: Box::new(finished(outcome, "f")),
    }
}

#[test]
fn a_worker_that_was_told_something_is_not_judged_before_it_has_read_it() {
    for outcome in [
        Outcome::Done,
        Outcome::NoChangeNeeded,
        Outcome::Continue,
        Outcome::Bailed,
    ] {
        let told = changed(&running(), say("use port 81")).task;
        let mut after = changed(&told, end(outcome)).task;
        let State::Ready { next, .. } = &mut after.state else {
            panic!("{outcome:?}: {:?}", after.state);
        };
        assert_eq!(next.start, StartKind::Continuation, "{outcome:?}");
        next.not_before = None;
        assert_eq!(
            after.history.spent, told.history.spent,
            "{outcome:?}: it costs the task no attempt"
        );
        let claimed = changed(&after, Event::Claimed(route())).task;
        assert_eq!(claimed.history.remarks.iter().next().unwrap().told_in, Some(8));
        // It is said once: the next end is an end.
        let epoch = claimed.epoch;
        let done = Event::Finished {
            epoch,
            report: Box::new(finished(Outcome::Done, "g")),
        };
        assert!(matches!(
            changed(&claimed, done).task.state,
            State::Validating { .. }
        ));
    }
}

#[test]
fn what_is_said_does_not_cover_a_failure() {
    let told = changed(&running(), say("hurry")).task;
    let after = changed(&told, end(Outcome::Failed)).task;
    assert_eq!(after.history.tries.last().unwrap().outcome, Outcome::Failed);
    assert!(after.history.remarks.any_untold(), "the next attempt is told");
}
