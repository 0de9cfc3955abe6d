//! Stopping: politely, then not, and nobody is left.

use super::*;

/// Seen to fail without the subreaper: the double forks escape.
#[tokio::test]
async fn a_kill_leaves_nobody() {
    let attempt = Attempt::sh(
        "setsid sh stub & (setsid sh stub &); (env -i PATH=\"$PATH\" setsid sh stub &); (nohup sh stub >/dev/null &); exec sh stub",
    );
    let stubborn = "trap '' TERM INT HUP; echo $$ >> pids; while :; do sleep 0.05; done";
    fs::write(attempt.in_workspace("stub"), stubborn).unwrap();
    let running = attempt.start().await;
    let family = attempt.await_pids(5);
    let asked = Instant::now();
    running.request_stop(Duration::from_millis(200)).unwrap();
    let exit = finish(&running).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(exit.cause, Cause::Stopped);
    assert_eq!(living(family), Vec::<i32>::new());
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
}

/// Seen to fail without the polite signal in `Tree::ask_to_end`: it never heard.
#[tokio::test]
async fn a_polite_worker_may_close_its_work() {
    let attempt = Attempt::sh("trap 'echo bye; exit 3' TERM; echo $$ >> pids; while :; do sleep 0.02; done");
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(30)).unwrap();
    let exit = finish(&running).await;
    assert_eq!((exit.cause, exit.status), (Cause::Stopped, Some(Status::Code(3))));
    assert_eq!(attempt.stdout(), "bye\n");
}

/// Seen to fail with the rest killed as soon as the worker's first process ends.
#[tokio::test]
async fn the_grace_is_for_the_whole_tree() {
    let attempt = Attempt::sh(
        "(trap 'sleep 0.3; echo closed; exit' TERM; echo $$ >> pids; while :; do sleep 0.02; done) & wait",
    );
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(30)).unwrap();
    finish(&running).await;
    assert_eq!(attempt.stdout(), "closed\n");
}

/// Seen to fail with the second word unheard in `Watch::hear_stop`: it waited for its grace.
#[tokio::test]
async fn asking_again_makes_it_at_once() {
    let attempt = Attempt::sh("trap '' TERM; echo $$ >> pids; while :; do sleep 0.02; done");
    let running = attempt.start().await;
    attempt.await_pids(1);
    running.request_stop(Duration::from_secs(3600)).unwrap();
    until(|| attempt.dir().join(file::STOP).exists().then_some(()));
    running.kill_now().unwrap();
    assert_eq!(finish(&running).await.status, Some(Status::Signal(9)));
}

/// Seen to fail with the killing left to a stop (`Watch::kills_at`): it stayed.
#[tokio::test]
async fn what_a_worker_leaves_behind_goes_with_it() {
    let attempt = Attempt::sh(
        "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & while [ ! -s pids ]; do sleep 0.01; done; exit 0",
    );
    let exit = attempt.run().await;
    assert_eq!(exit.code(), Some(0));
    assert_eq!(exit.stragglers_killed, 1);
    assert!(attempt.await_pids(1).into_iter().all(|pid| !is_alive(pid)));
}

/// Seen to fail with the timeout taken out of `Watch::look_at_clock`.
#[tokio::test]
async fn it_ends_at_its_timeout() {
    let mut attempt = Attempt::sh("trap '' TERM; while :; do sleep 0.02; done");
    attempt.spec.timeout = Duration::from_millis(150);
    let began = Instant::now();
    assert_eq!(attempt.run().await.cause, Cause::Timeout);
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "its grace is part of it"
    );
}
