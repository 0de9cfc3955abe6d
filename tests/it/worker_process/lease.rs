//! The lease: a worker that nobody drives any more is ended by its supervisor.

use super::*;
use orchestrator::clock::since_boot;
use orchestrator::runtime::process::{LeaseTerms, entrust};

/// Seen to fail with the supervisor's look at the lease taken out: it ends by its timeout.
#[tokio::test]
async fn without_renewal_it_ends_with_its_lease() {
    let mut attempt =
        Attempt::sh("trap '' TERM; setsid sh -c 'echo $$ >> pids; sleep 1000; :' & echo $$ >> pids; wait");
    attempt.spec.lease = Some(Duration::from_millis(600).into());
    attempt.spec.timeout = Duration::from_secs(15);
    let running = attempt.start().await;
    let family = attempt.await_pids(2);
    let exit = finish(&running).await;
    assert_eq!(exit.cause, Cause::LeaseEnded);
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

/// Seen to fail with the lease read but once (`Tenure::look`).
#[tokio::test]
async fn renewed_it_lives_on() {
    let lease = Duration::from_millis(500);
    let mut attempt = Attempt::sh("while [ ! -e go ]; do sleep 0.02; done; exit 4");
    attempt.spec.lease = Some(lease.into());
    let running = attempt.start().await;
    let begun = Instant::now();
    until(|| {
        running.renew_lease(lease.into()).unwrap();
        (begun.elapsed() > lease * 4).then_some(())
    });
    fs::write(attempt.in_workspace("go"), "").unwrap();
    assert_eq!(finish(&running).await.code(), Some(4));
}

/// Seen to fail likewise.
#[tokio::test]
async fn entrusted_to_its_supervisor_it_lives_until_somebody_comes_back() {
    let lease = Duration::from_millis(400);
    let mut attempt = Attempt::sh("while [ ! -e go ]; do sleep 0.02; done; sleep 1000");
    attempt.spec.lease = Some(lease.into());
    let running = attempt.start().await;
    entrust(attempt.dir()).unwrap();
    let begun = Instant::now();
    until(|| (begun.elapsed() > lease * 4).then_some(()));
    assert!(running.is_alive());
    fs::write(attempt.in_workspace("go"), "").unwrap();
    running.renew_lease(lease.into()).unwrap();
    assert_eq!(finish(&running).await.cause, Cause::LeaseEnded);
}

/// What a node of a fleet may promise: until when others leave its tasks alone.
fn promise(left: Duration) -> LeaseTerms {
    LeaseTerms {
        length: Duration::from_secs(20),
        until: Some(since_boot() + left),
    }
}

/// With the usual grace it would live on beside the one that has taken over.
#[tokio::test]
async fn whoever_is_taken_over_is_dead_in_time_whatever_grace_it_has_otherwise() {
    let mut attempt = Attempt::sh("trap '' TERM; echo $$ >> pids; while :; do sleep 0.05; done");
    attempt.spec.lease = Some(LeaseTerms {
        length: Duration::from_secs(2),
        ..promise(Duration::from_millis(800))
    });
    attempt.spec.grace = Duration::from_secs(30);
    let begun = Instant::now();
    let running = attempt.start().await;
    let family = attempt.await_pids(1);
    // One that is being given time to end anyway has no more of it either.
    running.request_stop(attempt.spec.grace).unwrap();
    let exit = finish(&running).await;
    assert_eq!(exit.cause, Cause::Stopped);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(living(family), Vec::<i32>::new());
}

/// A renewal that counts from when it is seen would keep it alive.
#[tokio::test]
async fn a_renewal_that_comes_too_late_renews_nothing() {
    let mut attempt = Attempt::sh("echo $$ >> pids; while :; do sleep 0.05; done");
    let promised = promise(Duration::from_millis(600));
    attempt.spec.lease = Some(promised);
    attempt.spec.timeout = Duration::from_secs(15);
    let running = attempt.start().await;
    attempt.await_pids(1);
    while running.is_alive() {
        // What a node that stood still has in hand.
        running.renew_lease(promised).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(finish(&running).await.cause, Cause::LeaseEnded);
}

/// A lease that is looked at only once the worker runs would come too late.
#[tokio::test]
async fn nobody_is_started_whose_task_others_have_taken_over() {
    let mut attempt = Attempt::sh("echo $$ >> pids");
    attempt.spec.lease = Some(promise(Duration::ZERO));
    let refused = orchestrator::runtime::process::start(Path::new(EXE), &attempt.spec)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("its tasks are others' now"),
        "{refused}"
    );
    assert!(!attempt.in_workspace("pids").exists());
}
