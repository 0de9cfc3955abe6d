//! Every change is noticed, however it is made, and nothing else is.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use orchestrator::config::Layout;
use orchestrator::files::{Changes, Watch, wake};

use super::files::{instance, queue, rename_over, task};

/// Waits until changes arrive that satisfy `wanted`, adding up what comes; fails after ten seconds.
async fn seen(watch: &mut Watch, wanted: impl Fn(&Changes) -> bool) -> Changes {
    let mut all = Changes::default();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !wanted(&all) {
        match tokio::time::timeout_at(deadline, watch.changed()).await {
            Ok(changes) => all.merge(&changes),
            Err(_) => panic!("not seen; so far {all:?}, degraded {:?}", watch.degraded()),
        }
    }
    all
}

/// A watch that has told all that it had to tell of its own start.
async fn rested(layout: &Layout) -> Watch {
    let mut watch = Watch::start(layout);
    while tokio::time::timeout(Duration::from_millis(300), watch.changed())
        .await
        .is_ok()
    {}
    watch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_editing_the_queue_is_seen() {
    let here = instance();
    let path = here.layout.queue_file();
    let mut watch = rested(&here.layout).await;
    assert_eq!(watch.degraded(), None);
    rename_over(&path, "two\n");
    seen(&mut watch, |changes| changes.queue).await;
    fs::write(&path, "three\n").unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    fs::remove_file(&path).unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    fs::write(&path, "four\n").unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    queue(&here).update(|_| Some(b"five\n".to_vec())).unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    assert_eq!(watch.degraded(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_write_is_told_at_once_and_a_burst_as_few() {
    let here = instance();
    let mut watch = rested(&here.layout).await;
    let start = std::time::Instant::now();
    rename_over(&here.layout.queue_file(), "two\n");
    seen(&mut watch, |changes| changes.queue).await;
    assert!(
        start.elapsed() < Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
    for n in 0..200 {
        rename_over(&here.layout.queue_file(), &format!("{n}\n"));
        fs::write(here.layout.heartbeat(&task(&format!("t{n}"))), "{}").unwrap();
    }
    let mut tellings = 0;
    let mut all = Changes::default();
    while all.heartbeats.len() < 200 {
        all.merge(
            &tokio::time::timeout(Duration::from_secs(10), watch.changed())
                .await
                .unwrap(),
        );
        tellings += 1;
    }
    assert!(tellings < 50, "{tellings}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_made_anew_are_watched_again() {
    let here = instance();
    let mut watch = rested(&here.layout).await;
    for round in 0..3 {
        for folder in [here.layout.heartbeats(), here.layout.jobs(), here.layout.agents()] {
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
        }
        seen(&mut watch, |changes| {
            changes.all_heartbeats && changes.jobs && changes.agents
        })
        .await;
        while tokio::time::timeout(Duration::from_millis(300), watch.changed())
            .await
            .is_ok()
        {}
        let id = task(&format!("t{round}"));
        fs::write(here.layout.heartbeat(&id), "{}").unwrap();
        seen(&mut watch, |changes| changes.heartbeats.contains(&id)).await;
        fs::write(here.layout.jobs().join("x.md"), "").unwrap();
        seen(&mut watch, |changes| changes.jobs).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_instance_may_go_and_come_back() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("i");
    let layout = Layout::new(&root);
    fs::create_dir_all(layout.heartbeats()).unwrap();
    fs::write(layout.queue_file(), "one\n").unwrap();
    let mut watch = rested(&layout).await;
    fs::remove_dir_all(&root).unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    fs::create_dir(&root).unwrap();
    fs::write(layout.queue_file(), "two\n").unwrap();
    seen(&mut watch, |changes| changes.queue).await;
    while tokio::time::timeout(Duration::from_secs(3), watch.changed())
        .await
        .is_ok()
    {}
    assert_eq!(watch.degraded(), None);
    rename_over(&layout.queue_file(), "three\n");
    seen(&mut watch, |changes| changes.queue).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_of_a_link_is_watched() {
    let here = instance();
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real.md");
    fs::write(&real, "real\n").unwrap();
    fs::remove_file(here.layout.queue_file()).unwrap();
    symlink(&real, here.layout.queue_file()).unwrap();
    let mut watch = rested(&here.layout).await;
    rename_over(&real, "edited\n");
    seen(&mut watch, |changes| changes.queue).await;
    fs::write(&real, "again\n").unwrap();
    seen(&mut watch, |changes| changes.queue).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_wake_the_service_and_other_files_do_not() {
    let here = instance();
    let mut watch = rested(&here.layout).await;
    fs::write(here.dir.path().join("README.md"), "x").unwrap();
    fs::write(here.layout.state().join("orchestrator.db-wal"), "x").unwrap();
    fs::read(here.layout.queue_file()).unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), watch.changed())
            .await
            .is_err()
    );
    for _ in 0..3 {
        wake::touch(&here.layout.wake()).unwrap();
        seen(&mut watch, |changes| changes.wake).await;
    }
    fs::remove_file(here.layout.wake()).unwrap();
    seen(&mut watch, |changes| changes.wake).await;
    while tokio::time::timeout(Duration::from_millis(300), watch.changed())
        .await
        .is_ok()
    {}
    wake::touch(&here.layout.wake()).unwrap();
    seen(&mut watch, |changes| changes.wake).await;
}
