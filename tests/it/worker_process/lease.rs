//! The lease: a worker that nobody drives any more is ended by its supervisor.

use super::*;
use orchestrator::runtime::process::entrust;

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
