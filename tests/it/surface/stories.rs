//! What a chat shows of the way of a task.

use futures_util::future::join_all;
use orchestrator::chat::message::{Message, Verb};

use super::room::Mood;
use orchestrator::domain::event::{Command, Event};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::report::Surface;
use orchestrator::store::OutboxKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::scene::{OPERATOR, Scene, VIEWER, team};
use crate::main_job::world::section;

#[test]
fn a_success_is_one_card_and_a_short_thread() {
    let scene = Scene::new();
    scene.world.save_tasks(&[&section("fix-api", "")]);
    let card = scene.card("fix-api", "✅");
    let shown = card.card().unwrap();
    assert_eq!(shown.buttons, [], "a card that is over has nothing to press");
    assert_eq!(shown.state, "completed");
    let gate = shown.facts.iter().find(|fact| fact.name == "Gate").unwrap();
    assert!(gate.value.starts_with("passed: ✓"), "{gate:?}");
    assert!(card.edits > 0, "it is one message, kept current");
    assert_eq!(scene.room.cards("fix-api").len(), 1);
    let thread = scene.room.thread("fix-api");
    assert_eq!(thread[0], "🚀 [fix-api] - spawning haiku agent");
    assert!(
        thread
            .last()
            .unwrap()
            .starts_with("✅ [fix-api] - completed! Validation: ✓ functionality"),
        "{thread:?}"
    );
    assert!(thread.len() <= 6, "{thread:?}");
    assert_eq!(
        scene.room.posted().len(),
        1 + thread.len(),
        "nothing else was posted"
    );
    assert_eq!(card.place.room, "room:default");
}

#[test]
fn a_question_is_answered_in_its_thread() {
    let scene = Scene::new();
    let asks = "if grep -q 'the blue one' \"$ORCHESTRATOR_PROMPT_FILE\"; then echo b > done.txt; else \
                orchestrator agent ask 'Red or blue?'; exit 77; fi";
    scene.world.worker("paint", asks);
    scene.world.save_tasks(&[&section("paint", "")]);
    let card = scene.card("paint", "🔴");
    let asked = scene.until("the question", || {
        scene
            .room
            .posted()
            .into_iter()
            .find(|posted| posted.card().is_none() && posted.text().contains("asks: Red or blue?"))
    });
    assert!(
        matches!(&asked.message, Message::Text(text) if text.broadcast),
        "the room sees it, too"
    );
    let told = scene.say(OPERATOR, Some(&card.id), "the blue one");
    assert_eq!(
        told,
        "answer paint: it is in-progress now.".replace("in-progress", "pending")
    );
    scene.card("paint", "✅");
}

#[test]
fn what_is_said_in_the_thread_reaches_the_worker_before_its_work_is_judged() {
    let scene = Scene::new();
    let gate = scene.world.path("go");
    let script = format!(
        "if grep -q 'use port 81' \"$ORCHESTRATOR_PROMPT_FILE\"; then echo 81 > done.txt; else \
         echo 80 > done.txt; while [ ! -e {:?} ]; do sleep 0.05; done; fi",
        gate.display().to_string()
    );
    scene.world.worker("serve", &script);
    scene.world.save_tasks(&[&section("serve", "")]);
    let card = scene.card("serve", "🔧");
    let told = scene.say(OPERATOR, Some(&card.id), "use port 81");
    assert_eq!(
        told,
        "Noted: its worker is told when it ends its turn, before its work is judged."
    );
    std::fs::write(&gate, "").unwrap();
    scene.card("serve", "✅");
    assert_eq!(scene.world.outcomes("serve"), ["haiku:continue", "haiku:done"]);
}

#[test]
fn files_in_the_thread_reach_the_worker_under_harmless_names() {
    use orchestrator::chat::heard::{Attached, What};
    let scene = Scene::new();
    let wait = scene.world.path("go");
    let script = format!(
        "prompt=\"$ORCHESTRATOR_PROMPT_FILE\"\nif grep -q 'spec.txt' \"$prompt\"; then \
         cat \"$(grep -o '/[^ ]*spec.txt' \"$prompt\" | head -1)\" > done.txt; else \
         echo none > done.txt; while [ ! -e {:?} ]; do sleep 0.05; done; fi",
        wait.display().to_string()
    );
    scene.world.worker("read", &script);
    scene.world.save_tasks(&[&section("read", "")]);
    let card = scene.card("read", "🔧");
    scene.room.file("f1", b"the whole specification");
    let file = |name: &str, handle: &str, bytes| Attached {
        name: name.to_owned(),
        bytes,
        handle: handle.to_owned(),
    };
    let what = What::Text {
        text: String::new(),
        addressed: false,
        files: vec![
            file("../../spec.txt", "f1", None),
            file("big.iso", "f2", Some(1 << 40)),
            file("lost.txt", "f3", None),
        ],
    };
    let heard = scene.room.event(OPERATOR, Some(&card.id), what);
    let event = heard.event.clone();
    scene.room.bring(heard);
    let told = scene.answer(&event);
    assert!(told.starts_with("Noted:"), "{told}");
    assert!(
        told.contains("big.iso is left out: at most 10 files of 25 MB each"),
        "{told}"
    );
    assert!(
        told.contains("lost.txt is left out: the file is not there any more"),
        "{told}"
    );
    std::fs::write(&wait, "").unwrap();
    scene.card("read", "✅");
    let done = scene.world.run(&["show", "read", "--json"]).json();
    assert_eq!(done["task"]["state"], "completed");
}

#[test]
fn a_lost_answer_makes_no_second_message() {
    let scene = Scene::new();
    scene.room.set(Mood::Forgetful);
    scene.world.save_tasks(&[&section("once", "")]);
    scene.until("a first try", || (!scene.room.posted().is_empty()).then_some(()));
    scene.room.set(Mood::Good);
    scene.card("once", "✅");
    assert_eq!(scene.room.cards("once").len(), 1);
    let mut keys: Vec<String> = scene.room.posted().into_iter().map(|posted| posted.key).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all, "{keys:?}");
}

#[test]
fn a_chat_that_was_away_catches_up_shortly_and_in_order() {
    let scene = Scene::new();
    scene.room.set(Mood::Away);
    let tasks: Vec<String> = (0..30).map(|n| section(&format!("t{n}"), "")).collect();
    scene
        .world
        .save_tasks(&tasks.iter().map(String::as_str).collect::<Vec<_>>());
    scene.until("all done", || {
        let ended = scene.world.run(&["status", "--all", "--json"]).json();
        let done = ended["tasks"]
            .as_array()?
            .iter()
            .filter(|task| task["state"] == "completed")
            .count();
        (done == 30).then_some(())
    });
    scene.room.set(Mood::Good);
    scene.until("all told", || {
        let waiting = OutboxKind::To(team());
        let waiting = scene
            .runtime
            .block_on(scene.instance().store.outbox_waiting(waiting))
            .unwrap();
        waiting.is_none().then_some(())
    });
    let posted = scene.room.posted();
    let digests = posted.iter().filter(|posted| posted.text().starts_with("🗞️"));
    let counts = digests
        .clone()
        .map(|digest| digest.text().split(' ').nth(1).unwrap().parse::<u32>().unwrap());
    let singly = posted
        .iter()
        .filter(|posted| posted.place.thread.is_some())
        .count();
    assert_eq!(counts.sum::<u32>() as usize + singly, 60, "{posted:?}");
    assert!(
        digests.clone().all(|digest| digest.place.room == "room"),
        "it is of no project"
    );
    assert!(posted.len() < 40, "nobody is flooded: {posted:?}");
}

#[test]
fn a_card_goes_on_after_a_restart_and_a_second_round_uses_it_again() {
    let mut scene = Scene::new();
    let wait = scene.world.path("go");
    let script = format!(
        "date +%s.%N > done.txt; while [ ! -e {:?} ]; do sleep 0.05; done",
        wait.display().to_string()
    );
    scene.world.worker("long", &script);
    scene.world.save_tasks(&[&section("long", "")]);
    let before = scene.card("long", "🔧");
    scene.stop();
    std::fs::write(&wait, "").unwrap();
    scene.start();
    let after = scene.card("long", "✅");
    assert_eq!(before.id, after.id);
    assert_eq!(scene.room.cards("long").len(), 1);
    scene.say(OPERATOR, Some(&after.id), "!retry");
    scene.until("a second completion", || {
        let done = scene
            .room
            .thread("long")
            .iter()
            .filter(|line| line.starts_with("✅"))
            .count();
        (done == 2).then_some(())
    });
    scene.card("long", "✅");
    assert_eq!(scene.room.cards("long").len(), 1);
}

#[test]
fn buttons_do_what_they_say() {
    let scene = Scene::new();
    scene.world.worker("idle", "sleep 60");
    scene.world.save_tasks(&[&section("idle", "")]);
    scene.card("idle", "🔧");
    scene.room.press(OPERATOR, "idle", Verb::Pause);
    let card = scene.card("idle", "⏸️");
    assert_eq!(card.card().unwrap().buttons.len(), 2);
    let stale = scene.room.press(VIEWER, "idle", Verb::Resume);
    assert_eq!(
        scene.answer(&stale),
        "You are viewer here; this takes an operator."
    );
    scene.room.press(OPERATOR, "idle", Verb::Resume);
    scene.card("idle", "🔧");
    scene.room.press(OPERATOR, "idle", Verb::Cancel);
    let over = scene.card("idle", "🚫");
    assert!(over.card().unwrap().buttons.is_empty());
}

#[test]
fn a_thousand_ends_in_a_minute_flood_nobody() {
    let scene = Scene::configured("per_minute = 60\n", "");
    scene.room.set(Mood::Limited(std::time::Duration::from_secs(1)));
    let held: Vec<String> = (0..1000)
        .map(|n| section(&format!("t{n}"), "").replace("pending", "paused"))
        .collect();
    scene
        .world
        .save_tasks(&held.iter().map(String::as_str).collect::<Vec<_>>());
    let (instance, runtime) = (scene.instance(), &scene.runtime);
    scene.until("all are taken in", || {
        (runtime.block_on(instance.store.live_ids()).unwrap().len() == 1000).then_some(())
    });
    scene.room.set(Mood::Good);
    let before = scene.room.calls();
    let dispatcher = instance.dispatcher();
    let cancel = |n: u32| {
        let (dispatcher, id) = (&dispatcher, TaskId::parse(&format!("t{n}")).unwrap());
        let event = Event::Person {
            by: "test".to_owned(),
            command: Command::Cancel {
                reason: "enough".to_owned(),
            },
        };
        async move { drop(dispatcher.apply_stored(&id, event).await.unwrap()) }
    };
    for n in (0..1000).step_by(100) {
        runtime.block_on(join_all((n..n + 100).map(cancel)));
    }
    instance.steered.send_replace(());
    scene.until("all told", || {
        let kinds = [OutboxKind::Report, OutboxKind::To(team())];
        let waiting = kinds.map(|kind| runtime.block_on(instance.store.outbox_waiting(kind)).unwrap());
        waiting.iter().all(Option::is_none).then_some(())
    });
    let posted = scene.room.posted();
    let counts = posted.iter().filter_map(|posted| {
        posted
            .text()
            .strip_prefix("🗞️ ")?
            .split(' ')
            .next()?
            .parse::<usize>()
            .ok()
    });
    let singly = posted
        .iter()
        .filter(|posted| posted.text().contains("cancelled by test") && posted.place.thread.is_some());
    assert!(counts.sum::<usize>() + singly.count() >= 1000);
    let calls = scene.room.calls() - before;
    assert!(calls < 100, "a thousand ends were {calls} calls");
}

#[test]
fn evidence_comes_back_into_the_thread() {
    let scene = Scene::new();
    let job = "---\ndescription: Show it\nevidence:\n  - name: bench\n    run: echo 17 ns\n---\n{{ task.description }}\n";
    std::fs::write(scene.world.root().join("jobs/show.md"), job).unwrap();
    scene.world.save_tasks(&[&section("shown", "- **Job:** show\n")]);
    let card = scene.card("shown", "✅");
    let (place, name, bytes) = scene.until("a file", || scene.room.uploads().pop());
    assert_eq!(
        (place.thread, name.as_str(), bytes.as_slice()),
        (Some(card.id), "bench.txt", b"17 ns\n".as_slice())
    );
}

#[test]
fn what_changed_is_summed_up_and_nothing_where_nothing_did() {
    let scene = Scene::configured("summary_every = \"1s\"\n", "");
    scene
        .world
        .worker("ask", "orchestrator agent ask 'Red or blue?'; exit 77");
    scene
        .world
        .save_tasks(&[&section("good", ""), &section("ask", "")]);
    scene.card("good", "✅");
    scene.card("ask", "🔴");
    let summaries = || -> Vec<String> {
        let all = scene.room.posted().into_iter();
        all.filter(|posted| posted.text().starts_with("tick: "))
            .map(|posted| {
                assert_eq!(
                    (posted.place.room.as_str(), posted.place.thread.as_deref()),
                    ("room", None)
                );
                posted.text()
            })
            .collect()
    };
    let counted = |what: &str| -> usize {
        let parts = summaries().into_iter().flat_map(|text| {
            let parts = text.trim_start_matches("tick: ").split(", ");
            parts.map(str::to_owned).collect::<Vec<_>>()
        });
        let of = parts.filter_map(|part| part.strip_suffix(what)?.trim().parse::<usize>().ok());
        of.sum()
    };
    scene.until("all is summed up", || {
        (counted("archived") == 1 && counted("waits for a person") == 1).then_some(())
    });
    let before = summaries();
    assert!(before.len() <= 4, "{before:?}");
    // Somebody looks, which changes nothing; the courier looks every few seconds.
    scene.say(VIEWER, None, "!status");
    let since = std::time::Instant::now();
    scene.until("it has looked again", || {
        assert_eq!(summaries(), before);
        (since.elapsed() > std::time::Duration::from_secs(7)).then_some(())
    });
}

#[test]
fn what_waits_for_a_surface_that_is_gone_is_said_and_given_up_in_time() {
    let mut scene = Scene::configured(
        "",
        "[chat.old]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"s\"\n",
    );
    scene.world.save_tasks(&[&section("told", "")]);
    scene.card("told", "✅");
    let old = Surface::parse("old").unwrap();
    let waits = |scene: &Scene| {
        let waiting = scene.instance().store.outbox_waiting(OutboxKind::To(old.clone()));
        scene.runtime.block_on(waiting).unwrap()
    };
    assert!(waits(&scene).is_some());
    scene.stop();
    let file = scene.world.root().join("orchestrator.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.find("[chat.old]").unwrap()]).unwrap();
    scene.start();
    let problems = scene.world.status()["problems"].clone();
    let said = problems
        .as_array()
        .unwrap()
        .iter()
        .find(|problem| problem["code"] == "chat-removed");
    let said = said.unwrap_or_else(|| panic!("{problems}"))["message"].to_string();
    assert!(
        said.contains("wait for 'old', which the configuration does not have"),
        "{said}"
    );
    assert!(scene.world.run(&["doctor"]).out.contains("wait for 'old'"));
    assert!(waits(&scene).is_some(), "what is young may be another node's");
    scene.stop();
    scene.runtime.block_on(async {
        let file = scene.world.state_dir().join("orchestrator.db");
        let mut conn = SqliteConnectOptions::new()
            .filename(file)
            .connect()
            .await
            .unwrap();
        let aged =
            sqlx::query("UPDATE outbox SET created_at = created_at - 3601000000 WHERE kind = 'to:old'");
        assert!(aged.execute(&mut conn).await.unwrap().rows_affected() > 0);
        conn.close().await.unwrap();
    });
    scene.start();
    scene.until("it is given up", || waits(&scene).is_none().then_some(()));
    assert!(
        !scene.world.status()["problems"]
            .to_string()
            .contains("chat-removed")
    );
}
