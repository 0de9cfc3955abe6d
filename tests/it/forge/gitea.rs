//! The stand-in's Gitea, after the description of its interface; Forgejo answers the same.

use serde_json::{Value, json};

use super::stage::{Answer, PullRow, Request, SQUASHED, Tells, World, issue, list, ok, refuse};

pub fn answer(world: &mut World, request: &Request<'_>) -> Answer {
    match (request.method, request.path.as_slice()) {
        ("GET", ["branches", branch @ ..]) => match world.heads.get(&branch.join("/")) {
            Some(sha) => ok(json!({
                "name": branch.join("/"), "commit": { "id": sha, "message": "m" }, "protected": !world.required.is_empty(),
                "required_approvals": 0, "enable_status_check": !world.required.is_empty(),
                "status_check_contexts": world.required, "user_can_merge": true,
            })),
            None => refuse(404, "The target couldn't be found."),
        },
        ("DELETE", ["branches", branch @ ..]) => match world.heads.remove(&branch.join("/")) {
            Some(_) => (204, Vec::new(), Value::Null),
            None => refuse(404, "The target couldn't be found."),
        },
        ("GET", ["statuses", sha]) => {
            let of = world.statuses.iter().enumerate().filter(|(_, s)| s.0 == *sha);
            let all = of
                .map(|(id, s)| json!({ "id": id, "context": s.1, "status": s.2, "description": "", "target_url": "" }));
            let all = all.collect();
            list(world, request, all, Tells::Link)
        }
        (_, ["pulls", rest @ ..]) => pulls(world, request, rest),
        (_, ["issues", number, rest @ ..]) => issue(world, request, number, rest),
        _ => refuse(404, "Not Found"),
    }
}

fn pulls(world: &mut World, request: &Request<'_>, rest: &[&str]) -> Answer {
    match (request.method, rest) {
        ("GET", []) => {
            let open = request.query["state"] == "open";
            let of = world.pulls.iter().filter(|p| (p.state == "open") == open);
            let all = of.map(|p| shown(world, p)).collect();
            list(world, request, all, Tells::Link)
        }
        ("POST", []) => open(world, request),
        (method, [number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap();
            let Some(at) = world.pulls.iter().position(|p| p.number == number) else {
                return refuse(404, "The target couldn't be found.");
            };
            match (method, rest) {
                ("GET", []) => ok(shown(world, &world.pulls[at])),
                ("POST", ["merge"]) => merge(&mut world.pulls[at], request),
                // No links on these, but the total.
                ("GET", ["reviews"]) => list(world, request, reviews(world), Tells::Total),
                ("GET", ["reviews", id, "comments"]) => notes(world, id),
                _ => refuse(404, "Not Found"),
            }
        }
        _ => refuse(404, "Not Found"),
    }
}

fn open(world: &mut World, request: &Request<'_>) -> Answer {
    let text = |key: &str| request.body[key].as_str().unwrap().to_owned();
    let (branch, base) = (text("head"), text("base"));
    if world
        .pulls
        .iter()
        .any(|p| p.branch == branch && p.state == "open")
    {
        return refuse(
            409,
            "pull request already exists for these targets [id: 1, issue_id: 1]",
        );
    }
    let Some(head) = world.heads.get(&branch).cloned() else {
        return refuse(404, "The target couldn't be found.");
    };
    let row = PullRow {
        number: 100 + world.pulls.len() as u64,
        branch,
        base,
        head,
        state: "open",
        draft: false,
        mergeable: Some(true),
        mergeable_state: "",
    };
    world.pulls.push(row.clone());
    (201, Vec::new(), shown(world, &row))
}

fn merge(row: &mut PullRow, request: &Request<'_>) -> Answer {
    if request.body["Do"] != "squash" {
        return refuse(
            405,
            "merge is not allowed an allowed merge style for this repository",
        );
    }
    if row.state != "open" || row.mergeable != Some(true) {
        return refuse(405, "Please try again later");
    }
    if request.body["head_commit_id"] != row.head.as_str() {
        return refuse(409, "head out of date");
    }
    row.state = "merged";
    (200, Vec::new(), Value::Null)
}

fn shown(world: &World, row: &PullRow) -> Value {
    let merged = row.state == "merged";
    let there = world.heads.contains_key(&row.branch);
    json!({
        "number": row.number,
        "html_url": format!("https://gitea.example/acme/app/pulls/{}", row.number),
        "state": if row.state == "open" { "open" } else { "closed" },
        "draft": row.draft,
        "mergeable": row.mergeable.unwrap_or(false),
        "merged": merged,
        "merged_at": merged.then_some("2026-02-09T12:30:00Z"),
        "merge_commit_sha": merged.then_some(SQUASHED),
        "head": {
            "label": row.branch, "sha": row.head, "repo_id": 1, "repo": { "full_name": "acme/app" },
            "ref": if there { row.branch.clone() } else { format!("refs/pull/{}/head", row.number) },
        },
        "base": { "label": row.base, "ref": row.base, "sha": "d", "repo_id": 1, "repo": { "full_name": "acme/app" } },
        "user": { "login": "orchestrator-bot" },
    })
}

fn reviews(world: &World) -> Vec<Value> {
    let shown = world.reviews.iter().map(|r| {
        json!({
            "id": r.id, "user": { "login": r.author }, "team": null, "state": r.state, "body": format!("words of {}", r.author),
            "commit_id": r.commit, "stale": false, "official": r.trusted, "dismissed": r.dismissed,
            "comments_count": r.notes.len(), "submitted_at": "2026-02-09T12:10:00Z",
        })
    });
    shown.collect()
}

fn notes(world: &World, id: &str) -> Answer {
    let id: u64 = id.parse().unwrap();
    let review = world.reviews.iter().find(|r| r.id == id).unwrap();
    let all = review.notes.iter().map(|(path, line, body)| {
        json!({
            "id": 1, "pull_request_review_id": id, "path": path, "position": line, "original_position": 0, "body": body,
        })
    });
    ok(all.collect())
}
