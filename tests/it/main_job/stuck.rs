//! Workers that do not behave: silent ones, deaf ones, slow ones, loud ones.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::world::{World, is_alive, section};

const IMPATIENT: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1s\"\n";

fn pid_in(world: &World, name: &str) -> u32 {
    world.until_file(&world.root().join(name)).trim().parse().unwrap()
}

#[test]
fn a_silent_worker_is_killed_with_its_whole_tree_and_its_task_resumed() {
    let world = World::configured(IMPATIENT, "");
    world.worker(
        "mute",
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || { cat > prompt.txt; date > done.txt; exit 0; }
         orchestrator agent log 'half of it is there'
         setsid sh -c \"echo \\$\\$ > $home/child; exec sleep 300\" < /dev/null > /dev/null 2>&1 &
         echo $$ > \"$home/pid\"; sleep 300",
    );
    let _up = world.up();
    world.save_tasks(&[&section("mute", "")]);
    let (worker, child) = (pid_in(&world, "pid"), pid_in(&world, "child"));
    world.until_archived("mute");
    assert_eq!(world.outcomes("mute"), ["haiku:stuck", "haiku:done"]);
    let progress = std::fs::read_to_string(world.root().join("progress/mute.md")).unwrap();
    assert!(
        progress.contains("attempt 1 at haiku: stuck, no sign of life for too long"),
        "{progress}"
    );
    assert!(!is_alive(worker) && !is_alive(child));
    assert!(
        world
            .reports()
            .contains("⚠️ [mute] - agent appears stuck, killing and respawning")
    );
    assert!(
        world
            .reports()
            .contains("🔄 [mute] - resuming from checkpoint (haiku)")
    );
    let dir = world.state_dir().join("workspaces/mute");
    let prompt = world.git(&dir, &["show", "orchestrator/mute:prompt.txt"]);
    assert!(prompt.contains("half of it is there"), "{prompt}");
}

#[test]
fn a_worker_that_beats_is_left_alone() {
    let world = World::configured(IMPATIENT, "");
    world.worker(
        "slow",
        "for n in 1 2 3 4 5 6 7 8; do sleep 0.4; orchestrator agent heartbeat --pct ${n}0; done; date > done.txt",
    );
    let _up = world.up();
    world.save_tasks(&[&section("slow", "")]);
    world.until_archived("slow");
    assert_eq!(world.outcomes("slow"), ["haiku:done"]);
}

/// Life is shown often enough, and nothing new for a second is too long.
const DEMANDING: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nno_progress_after = \"1s\"\n";

fn reason_of_first(world: &World, id: &str) -> String {
    world.task(id)["attempts"][0]["reason"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_worker_that_prints_the_same_forever_is_stuck_and_its_task_resumed() {
    let world = World::configured(DEMANDING, "");
    world.worker(
        "parrot",
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || { date > done.txt; exit 0; }
         n=0; while :; do n=$((n+1)); echo \"still working, round $n\"; sleep 0.05; done",
    );
    let _up = world.up();
    world.save_tasks(&[&section("parrot", "")]);
    world.until_archived("parrot");
    assert_eq!(world.outcomes("parrot"), ["haiku:stuck", "haiku:done"]);
    let reason = reason_of_first(&world, "parrot");
    assert!(
        reason.contains("goes on saying 'still working, round"),
        "{reason}"
    );
    assert!(
        world
            .reports()
            .contains("⚠️ [parrot] - agent appears stuck, killing and respawning")
    );
    let progress = std::fs::read_to_string(world.root().join("progress/parrot.md")).unwrap();
    assert!(
        progress.contains("attempt 1 at haiku: stuck, it lives"),
        "{progress}"
    );
}

/// From cron, nobody watches between the ticks; the time without news goes on all the same.
#[test]
fn a_standstill_shows_over_many_short_ticks() {
    let world = World::configured(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nno_progress_after = \"3s\"\n",
        "",
    );
    world.worker(
        "parrot",
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || { date > done.txt; exit 0; }
         while :; do echo again; sleep 0.05; done",
    );
    world.save_tasks(&[&section("parrot", "")]);
    world.until("its first attempt is stuck, and the second done", || {
        world.done(&["tick"]);
        (world.outcomes("parrot") == ["haiku:stuck", "haiku:done"]).then_some(())
    });
}

#[test]
fn a_worker_that_ended_between_two_ticks_is_concluded_by_the_second() {
    let world = World::new();
    world.worker(
        "late",
        "echo $$ > \"$home/pid\"; until [ -e \"$home/go\" ]; do sleep 0.02; done; date > done.txt",
    );
    world.save_tasks(&[&section("late", "")]);
    world.done(&["tick"]);
    let worker = pid_in(&world, "pid");
    std::fs::write(world.root().join("go"), "").unwrap();
    world.until("the supervisor has seen its end", || {
        let exit = world.state_dir().join("attempts/late/1/exit.json");
        (exit.is_file() && !is_alive(worker)).then_some(())
    });
    world.done(&["tick"]);
    assert_eq!(world.outcomes("late"), ["haiku:done"]);
}

#[test]
fn a_worker_that_only_beats_is_stuck() {
    let world = World::configured(DEMANDING, "");
    world.worker(
        "beater",
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || { date > done.txt; exit 0; }
         while :; do orchestrator agent heartbeat --pct 10 --phase thinking; sleep 0.1; done",
    );
    let _up = world.up();
    world.save_tasks(&[&section("beater", "")]);
    world.until_archived("beater");
    assert_eq!(world.outcomes("beater"), ["haiku:stuck", "haiku:done"]);
    let reason = reason_of_first(&world, "beater");
    assert!(reason.contains("nothing new came from it"), "{reason}");
}

/// Each of them brings something new in its own way, for longer than the limit.
#[test]
fn workers_that_get_on_in_silence_are_left_alone() {
    let world = World::configured(DEMANDING, "");
    let long = |step: &str| format!("for n in 1 2 3 4 5 6 7 8; do sleep 0.4; {step}; done; date > done.txt");
    world.worker("writes", &long("echo $n > build.o; echo same"));
    world.worker("logs", &long("orchestrator agent log \"found thing $n\""));
    world.worker("counts", &long("orchestrator agent heartbeat --pct ${n}0"));
    let ids = ["writes", "logs", "counts"];
    let sections = ids.map(|id| section(id, ""));
    world.save_tasks(&sections.each_ref().map(String::as_str));
    world.done(&["tick", "--wait"]);
    for id in ids {
        assert_eq!(world.outcomes(id), ["haiku:done"], "{id}: {:#}", world.task(id));
    }
}

/// A world with a client that speaks as Claude Code does; `$1 … $n` are the arguments it was started with.
fn with_client(scheduler: &str, script: &str) -> World {
    let world = World::configured(
        scheduler,
        "[runtimes.client]\nkind = \"claude-code\"\nbinary = \"client.sh\"\n",
    );
    let config = world.root().join("orchestrator.toml");
    let path = world.path("client.sh");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("client.sh", path.to_str().unwrap())).unwrap();
    let said = r#"say() { printf '%s\n' "$1"; }
[ "$1" = --version ] && { say '2.1.0 (Claude Code)'; exit 0; }
cat > /dev/null
say '{"type":"system","subtype":"init","session_id":"11111111-2222-4333-8444-555555555555","model":"m"}'
finish() {
    date > done.txt; orchestrator agent log 'it is there'
    say '{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"11111111-2222-4333-8444-555555555555"}'
    exit 0
}
"#;
    std::fs::write(&path, format!("#!/bin/sh\n{said}{script}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world
}

#[test]
fn a_worker_that_repeats_one_call_is_stuck() {
    let world = with_client(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nrepeated_call_limit = 5\n",
        r#"[ "$ORCHESTRATOR_ATTEMPT" = 1 ] || finish
n=0
while :; do
    n=$((n+1))
    say '{"type":"assistant","message":{"id":"m'$n'","model":"m","content":[{"type":"text","text":"Idea '$n'"},{"type":"tool_use","name":"Bash","input":{"command":"cargo test","description":"try '$n'"}}]}}'
    say '{"type":"user","message":{"content":[{"type":"tool_result","content":"1 failed in 0.'$n's"}]}}'
    sleep 0.05
done
"#,
    );
    world.save_tasks(&[&section("loop", "- **Runtime:** client\n")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        world.outcomes("loop"),
        ["haiku:stuck", "haiku:done"],
        "{:#}",
        world.task("loop")
    );
    let reason = reason_of_first(&world, "loop");
    assert!(reason.contains("repeats itself: 'Bash: cargo test'"), "{reason}");
}

/// It costs no attempt and no tier, and goes on in the same session.
#[test]
fn a_worker_that_sleeps_for_its_provider_gives_its_slot_free() {
    let world = with_client(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nprovider_wait = \"500ms\"\n",
        r#"case "$*" in *--resume*) finish;; esac
say '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":3000,"error_status":429,"error":"rate_limit"}'
sleep 300
"#,
    );
    world.save_tasks(&[&section("sleeper", "- **Runtime:** client\n")]);
    world.done(&["tick", "--wait"]);
    let tiers: Vec<String> = world.outcomes("sleeper");
    assert_eq!((tiers.len(), tiers[1].as_str()), (2, "haiku:done"), "{tiers:?}");
    let progress = std::fs::read_to_string(world.root().join("progress/sleeper.md")).unwrap();
    assert!(
        progress.contains("attempt 1 at haiku: rate-limited, its provider"),
        "{progress}"
    );
    let reason = reason_of_first(&world, "sleeper");
    assert!(
        reason.contains("its provider makes it wait until") && reason.contains("rate_limit"),
        "{reason}"
    );
}

/// An agent that tells of it on standard error alone, as the protocol has no word for it.
const WAITER: &str = r#"#!/usr/bin/env python3
import json, os, signal, subprocess, sys
for line in sys.stdin:
    ask = json.loads(line)
    if "id" not in ask or "method" not in ask: continue
    method, answer = ask["method"], {}
    if method == "initialize":
        answer = {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}
    elif method == "session/new":
        answer = {"sessionId": "s-1"}
    elif method == "session/prompt":
        if os.environ["ORCHESTRATOR_ATTEMPT"] == "1":
            print("Attempt 1 failed with status 429. Retrying in 3s...", file=sys.stderr, flush=True)
            signal.pause()
        subprocess.run("date > done.txt; orchestrator agent log 'it is there'", shell=True, stdin=subprocess.DEVNULL)
        answer = {"stopReason": "end_turn"}
    print(json.dumps({"jsonrpc": "2.0", "id": ask["id"], "result": answer}), flush=True)
"#;

#[test]
fn a_silent_agent_that_complains_of_its_provider_gives_its_slot_free() {
    let world = World::configured(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nprovider_wait = \"500ms\"\n",
        "[runtimes.agent]\nkind = \"acp\"\ncommand = [\"waiter.py\"]\n",
    );
    let (config, path) = (world.root().join("orchestrator.toml"), world.path("waiter.py"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("waiter.py", path.to_str().unwrap())).unwrap();
    std::fs::write(&path, WAITER).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.save_tasks(&[&section("waiter", "- **Runtime:** agent\n")]);
    world.done(&["tick", "--wait"]);
    let tiers: Vec<String> = world.outcomes("waiter");
    assert_eq!(tiers.last().map(String::as_str), Some("haiku:done"), "{tiers:?}");
    let task = world.task("waiter");
    assert_eq!(task["attempts"].as_array().unwrap().len(), 2, "{task:#}");
    let progress = std::fs::read_to_string(world.root().join("progress/waiter.md")).unwrap();
    assert!(
        progress.contains("attempt 1 at haiku: rate-limited"),
        "{progress}"
    );
    let reason = reason_of_first(&world, "waiter");
    assert!(
        reason.contains("its provider makes it wait until") && reason.contains("rate_limit"),
        "{reason}"
    );
}

#[test]
fn a_worker_that_ignores_the_polite_signal_is_killed_after_the_grace() {
    let world = World::new();
    world.worker(
        "deaf",
        "trap '' TERM INT HUP; echo $$ > \"$home/pid\"; while :; do sleep 0.1; done",
    );
    let _up = world.up();
    world.save_tasks(&[&section("deaf", "")]);
    let worker = pid_in(&world, "pid");
    let asked = Instant::now();
    world.done(&["cancel", "deaf"]);
    world.until_state("deaf", "cancelled");
    assert!(!is_alive(worker));
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
}

#[test]
fn a_worker_out_of_time_is_stopped() {
    let world = World::new();
    world.worker(
        "late",
        "[ $ORCHESTRATOR_TIER = haiku ] && sleep 300; date > done.txt",
    );
    world.save_tasks(&[&section("late", "- **Timeout:** 1s\n")]);
    world.done(&["tick", "--wait"]);
    let outcomes = world.outcomes("late");
    assert_eq!(outcomes[0], "haiku:timeout", "{outcomes:?}");
    assert_eq!(world.task("late")["state"], "completed", "{outcomes:?}");
}

#[test]
fn a_flood_of_output_is_stopped_and_bounded() {
    let world = World::configured("", "[limits]\noutput = \"1MB\"\n");
    let config = std::fs::read_to_string(world.root().join("orchestrator.toml")).unwrap();
    std::fs::write(
        world.root().join("orchestrator.toml"),
        config.replace("output_bytes", "output"),
    )
    .unwrap();
    world.worker(
        "loud",
        "[ $ORCHESTRATOR_TIER = haiku ] && yes 'a line without an end'; date > done.txt",
    );
    world.save_tasks(&[&section("loud", "")]);
    world.done(&["tick", "--wait"]);
    let first = world.task("loud")["attempts"][0].clone();
    assert_eq!(first["outcome"], "failed", "{first:#}");
    assert!(first["reason"].to_string().contains("output"), "{first:#}");
    assert_eq!(world.task("loud")["state"], "completed");
}
