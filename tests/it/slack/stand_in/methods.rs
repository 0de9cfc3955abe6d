//! The methods of the Web API that are stood in for.

use serde_json::{Value, json};

use super::world::{Channel, Whisper, World};
use super::{APP_TOKEN, Answer, BOT_TOKEN, Call, ME, MY_BOT, TEAM, blocks, refused, said};

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    let args = Value::Object(call.args.clone());
    world.calls.push((call.method.to_owned(), args));
    let answer = permitted(world, call).unwrap_or_else(|| dispatch(world, call));
    let body: Value = serde_json::from_slice(&answer.2).unwrap_or_default();
    if let Some(code) = body["error"].as_str() {
        world.errors.push((call.method.to_owned(), code.to_owned()));
    }
    answer
}

/// The pace, the token and the scopes, in this order; nothing where all is well.
fn permitted(world: &mut World, call: &Call<'_>) -> Option<Answer> {
    let channel = call.text("channel").unwrap_or_default();
    if let Err(seconds) = world.pace.take(call.method, &channel) {
        let mut answer = refused("ratelimited");
        answer.0 = 429;
        answer.1.push(("retry-after", seconds.to_string()));
        return Some(answer);
    }
    let by_app = call.method == "apps.connections.open";
    match call.token {
        None => return Some(refused("not_authed")),
        Some(APP_TOKEN) if by_app => return None,
        Some(BOT_TOKEN) if !by_app => {}
        Some(BOT_TOKEN | APP_TOKEN) => return Some(refused("not_allowed_token_type")),
        Some(_) => return Some(refused("invalid_auth")),
    }
    let needed = needed(world, call.method, &channel)?;
    world.used.insert(needed.to_owned());
    let lacking = !world.granted.contains(needed);
    lacking.then(|| said(&json!({ "ok": false, "error": "missing_scope", "needed": needed, "provided": "" })))
}

/// The scope on the method's page.
fn needed(world: &World, method: &str, channel: &str) -> Option<&'static str> {
    Some(match method {
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" => "chat:write",
        "reactions.add" => "reactions:write",
        "users.info" => "users:read",
        "files.getUploadURLExternal" | "files.completeUploadExternal" => "files:write",
        "conversations.history" | "conversations.replies" => match world.channels.get(channel)?.kind {
            "channel" => "channels:history",
            "group" => "groups:history",
            _ => "im:history",
        },
        _ => return None,
    })
}

fn dispatch(world: &mut World, call: &Call<'_>) -> Answer {
    match call.method {
        "api.test" => World::done(json!({})),
        "auth.test" => World::done(json!({
            "url": "https://example.slack.com/", "team": "Example", "user": "orchestrator",
            "team_id": TEAM, "user_id": ME, "bot_id": MY_BOT, "is_enterprise_install": false,
        })),
        "apps.connections.open" => {
            let ticket = world.fresh("ticket");
            let url = format!("{}?ticket={ticket}&app_id=A0APP", world.link);
            world.tickets.insert(ticket);
            World::done(json!({ "url": url }))
        }
        "chat.postMessage" => post(world, call),
        "chat.update" => update(world, call),
        "chat.postEphemeral" => whisper(world, call),
        "reactions.add" => react(world, call),
        "conversations.history" | "conversations.replies" => read(world, call),
        "users.info" => {
            let user = call.text("user").and_then(|user| world.users.get(&user).cloned());
            user.map_or_else(
                || refused("user_not_found"),
                |user| World::done(json!({ "user": user })),
            )
        }
        "files.getUploadURLExternal" => upload(world, call),
        "files.completeUploadExternal" => complete(world, call),
        _ => refused("unknown_method"),
    }
}

/// A channel that the app may write in.
fn writable(world: &World, name: &str) -> Result<(), Answer> {
    let channel = world
        .channels
        .get(name)
        .ok_or_else(|| refused("channel_not_found"))?;
    match channel {
        Channel {
            is_archived: true, ..
        } => Err(refused("is_archived")),
        Channel { members, kind, .. } if !members.contains(ME) => Err(refused(match *kind {
            "channel" => "not_in_channel",
            _ => "channel_not_found",
        })),
        _ => Ok(()),
    }
}

fn limits(call: &Call<'_>) -> Result<(), Answer> {
    let null = Value::Null;
    let part = |name: &str| call.args.get(name).unwrap_or(&null);
    let text = call.text("text").unwrap_or_default();
    match blocks::error(&text, part("blocks"), part("attachments")) {
        None => metadata(part("metadata")),
        Some((code, why)) => Err(said(&json!({
            "ok": false, "error": code, "response_metadata": { "messages": [why] },
        }))),
    }
}

fn metadata(metadata: &Value) -> Result<(), Answer> {
    let good =
        metadata.is_null() || metadata["event_type"].is_string() && metadata["event_payload"].is_object();
    good.then_some(())
        .ok_or_else(|| refused("invalid_metadata_format"))
}

fn post(world: &mut World, call: &Call<'_>) -> Answer {
    let channel = call.text("channel").unwrap_or_default();
    if let Err(answer) = writable(world, &channel).and_then(|()| limits(call)) {
        return answer;
    }
    let mut message = json!({ "user": ME, "app_id": "A0APP", "text": call.text("text").unwrap_or_default() });
    for name in ["blocks", "metadata", "thread_ts"] {
        if let Some(value) = call.args.get(name).filter(|value| !value.is_null()) {
            message[name] = value.clone();
        }
    }
    let broadcast = call.args.get("reply_broadcast") == Some(&Value::Bool(true));
    if broadcast && message.get("thread_ts").is_some() {
        message["subtype"] = json!("thread_broadcast");
    }
    let ts = world.add(&channel, message);
    let message = world.message(&channel, &ts).cloned();
    World::done(json!({ "channel": channel, "ts": ts, "message": message }))
}

fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let channel = call.text("channel").unwrap_or_default();
    let ts = call.text("ts").unwrap_or_default();
    if let Err(answer) = writable(world, &channel).and_then(|()| limits(call)) {
        return answer;
    }
    let Some(message) = world.message_mut(&channel, &ts) else {
        return refused("message_not_found");
    };
    if message["user"] != ME {
        return refused("cant_update_message");
    }
    let before = message.clone();
    for name in ["text", "blocks", "metadata"] {
        // What is not sent stays, but for blocks that words alone replace.
        match call.args.get(name).filter(|value| !value.is_null()) {
            Some(value) => message[name] = value.clone(),
            None if name == "blocks" => message[name] = json!([]),
            None => {}
        }
    }
    message["edited"] = json!({ "user": ME, "ts": ts });
    let after = message.clone();
    let text = after["text"].as_str().unwrap_or_default();
    let found = blocks::pings(text, &after["blocks"]);
    world.pings.extend(found);
    let event = json!({
        "type": "message", "subtype": "message_changed", "hidden": true, "channel": channel,
        "ts": world.time(), "message": after, "previous_message": before,
    });
    world.tell(&channel, event);
    World::done(json!({ "channel": channel, "ts": ts, "text": after["text"] }))
}

fn whisper(world: &mut World, call: &Call<'_>) -> Answer {
    let channel = call.text("channel").unwrap_or_default();
    let user = call.text("user").unwrap_or_default();
    if let Err(answer) = writable(world, &channel).and_then(|()| limits(call)) {
        return answer;
    }
    if !world.channels[&channel].members.contains(&user) {
        return refused("user_not_in_channel");
    }
    let text = call.text("text").unwrap_or_default();
    let found = blocks::pings(&text, call.args.get("blocks").unwrap_or(&Value::Null));
    world.pings.extend(found);
    world.whispers.push(Whisper {
        channel,
        user,
        thread: call.text("thread_ts"),
        text,
        by_address: false,
    });
    let ts = world.time();
    World::done(json!({ "message_ts": ts }))
}

fn react(world: &mut World, call: &Call<'_>) -> Answer {
    let [channel, ts, name] =
        ["channel", "timestamp", "name"].map(|name| call.text(name).unwrap_or_default());
    if !world.channels.contains_key(&channel) {
        return refused("channel_not_found");
    }
    let Some(message) = world.message_mut(&channel, &ts) else {
        return refused("message_not_found");
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-+'".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return refused("invalid_name");
    }
    let mut reactions = message["reactions"].as_array().cloned().unwrap_or_default();
    if reactions.iter().any(|one| one["name"] == name) {
        return refused("already_reacted");
    }
    reactions.push(json!({ "name": name, "users": [ME], "count": 1 }));
    message["reactions"] = json!(reactions);
    World::done(json!({}))
}

fn read(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.text("channel").unwrap_or_default();
    let Some(channel) = world.channels.get(&name) else {
        return refused("channel_not_found");
    };
    if !channel.members.contains(ME) {
        return refused("not_in_channel");
    }
    let oldest: f64 = call
        .text("oldest")
        .and_then(|ts| ts.parse().ok())
        .unwrap_or_default();
    let newer =
        |message: &&Value| message["ts"].as_str().unwrap_or_default().parse::<f64>().unwrap() > oldest;
    let mut found: Vec<Value> = match call.text("ts") {
        Some(thread) => {
            if !channel
                .messages
                .iter()
                .any(|message| message["ts"] == thread.as_str())
            {
                return refused("thread_not_found");
            }
            // The first message of a thread always comes.
            let part =
                |m: &&Value| m["ts"] == thread.as_str() || m["thread_ts"] == thread.as_str() && newer(m);
            channel.messages.iter().filter(part).cloned().collect()
        }
        None => {
            let shown = |m: &&Value| m["thread_ts"].is_null() || m["subtype"] == "thread_broadcast";
            channel
                .messages
                .iter()
                .rev()
                .filter(shown)
                .filter(newer)
                .cloned()
                .collect()
        }
    };
    let with_metadata = call.text("include_all_metadata");
    if !matches!(with_metadata.as_deref(), Some("true" | "1")) {
        for message in &mut found {
            message.as_object_mut().unwrap().remove("metadata");
        }
    }
    let number = |name: &str| call.text(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(100).clamp(1, 999);
    let start = number("cursor").unwrap_or_default().min(found.len());
    let end = (start + limit).min(found.len());
    let more = end < found.len();
    let cursor = if more { end.to_string() } else { String::new() };
    World::done(json!({
        "messages": found[start..end], "has_more": more, "response_metadata": { "next_cursor": cursor },
    }))
}

fn upload(world: &mut World, call: &Call<'_>) -> Answer {
    let (Some(name), Some(length)) = (call.text("filename"), call.text("length")) else {
        return refused("invalid_arguments");
    };
    let Ok(length) = length.parse() else {
        return refused("invalid_arguments");
    };
    let id = world.fresh("F");
    let url = format!("{}/upload/{id}", world.root);
    world.uploads.insert(id.clone(), (name, length));
    World::done(json!({ "upload_url": url, "file_id": id }))
}

fn complete(world: &mut World, call: &Call<'_>) -> Answer {
    let channel = call.text("channel_id").unwrap_or_default();
    if let Err(answer) = writable(world, &channel) {
        return answer;
    }
    let listed = call
        .args
        .get("files")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut files = Vec::new();
    for file in listed {
        let id = file["id"].as_str().unwrap_or_default();
        let Some((name, _, bytes)) = world.files.get(id) else {
            return refused("file_not_found");
        };
        files.push(json!({ "id": id, "name": name, "title": file["title"], "size": bytes.len() }));
    }
    let mut message = json!({ "user": ME, "text": "", "subtype": "file_share", "files": files });
    if let Some(thread) = call.text("thread_ts") {
        message["thread_ts"] = json!(thread);
    }
    world.add(&channel, message);
    World::done(json!({ "files": files }))
}
