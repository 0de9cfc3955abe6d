//! The stand-in's GitHub, after the description of its REST interface (2022-11-28).

use axum::http::Method;
use serde_json::{Value, json};

use super::stage::{Answer, PullRow, Request, SQUASHED, Tells, World, issue, list, ok, page, refuse};

pub fn answer(world: &mut World, request: &Request<'_>) -> Answer {
    let get = request.method == Method::GET.as_str();
    match (request.method, request.path.as_slice()) {
        ("GET", ["git", "ref", "heads", branch @ ..]) => {
            let branch = branch.join("/");
            match world.heads.get(&branch) {
                Some(sha) => ok(json!({
                    "ref": format!("refs/heads/{branch}"), "node_id": "n", "object": { "type": "commit", "sha": sha, "url": "u" }
                })),
                None => refuse(404, "Not Found"),
            }
        }
        ("DELETE", ["git", "refs", "heads", branch @ ..]) => match world.heads.remove(&branch.join("/")) {
            Some(_) => (204, Vec::new(), Value::Null),
            None => refuse(422, "Reference does not exist"),
        },
        ("GET", ["branches", branch @ ..]) => match world.heads.get(&branch.join("/")) {
            Some(sha) => ok(json!({
                "name": branch.join("/"), "commit": { "sha": sha }, "protected": !world.required.is_empty(),
                "protection": { "enabled": !world.required.is_empty(), "required_status_checks": {
                    "enforcement_level": "non_admins",
                    "contexts": world.required,
                    "checks": world.required.iter().map(|c| json!({ "context": c, "app_id": null })).collect::<Vec<_>>(),
                } },
            })),
            None => refuse(404, "Branch not found"),
        },
        ("GET", ["rules", "branches", ..]) => {
            let mut rules = vec![
                json!({ "type": "deletion", "ruleset_id": 1 }),
                json!({ "type": "non_fast_forward" }),
            ];
            rules.extend(world.ruled.iter().map(|context| {
                json!({ "type": "required_status_checks", "parameters": {
                    "strict_required_status_checks_policy": false,
                    "required_status_checks": [{ "context": context, "integration_id": 15368 }],
                } })
            }));
            list(world, request, rules, Tells::Link)
        }
        ("GET", ["commits", sha, "check-runs"]) => check_runs(world, request, sha),
        ("GET", ["commits", sha, "statuses"]) => {
            let of = world.statuses.iter().enumerate().filter(|(_, s)| s.0 == *sha);
            let mut all: Vec<Value> = of
                .map(|(id, s)| json!({ "id": id, "context": s.1, "state": s.2, "description": null, "target_url": null }))
                .collect();
            all.reverse();
            list(world, request, all, Tells::Link)
        }
        (_, ["pulls", rest @ ..]) => pulls(world, request, rest),
        (_, ["issues", number, rest @ ..]) => issue(world, request, number, rest),
        _ => refuse(404, if get { "Not Found" } else { "No such thing" }),
    }
}

fn check_runs(world: &World, request: &Request<'_>, sha: &str) -> Answer {
    let of = world.runs.iter().filter(|run| run.0 == sha);
    let all: Vec<Value> = of
        .map(|(sha, name, status, conclusion)| {
            json!({
                "id": 1, "name": name, "head_sha": sha, "status": status, "conclusion": conclusion, "html_url": "https://x/run",
                "output": { "title": "2 failures", "summary": "tests::a\ntests::b", "annotations_count": 0 },
            })
        })
        .collect();
    let total = all.len();
    let (entries, headers) = page(world, request, all, Tells::Link);
    (
        200,
        headers,
        json!({ "total_count": total, "check_runs": entries }),
    )
}

fn pulls(world: &mut World, request: &Request<'_>, rest: &[&str]) -> Answer {
    match (request.method, rest) {
        ("GET", []) => {
            let wanted = request.query.get("head").unwrap().split_once(':').unwrap().1;
            let mut of: Vec<&PullRow> = world.pulls.iter().filter(|p| p.branch == wanted).collect();
            of.reverse();
            // Lists hold neither whether it was merged nor whether it can be.
            let all = of.iter().map(|p| shown(p, false)).collect();
            list(world, request, all, Tells::Link)
        }
        ("POST", []) => open(world, request),
        (method, [number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap();
            let Some(at) = world.pulls.iter().position(|p| p.number == number) else {
                return refuse(404, "Not Found");
            };
            match (method, rest) {
                ("GET", []) => ok(shown(&world.pulls[at], true)),
                ("PUT", ["merge"]) => merge(&mut world.pulls[at], request),
                ("GET", ["reviews"]) => reviews(world, request),
                ("GET", ["comments"]) => notes(world, request),
                _ => refuse(404, "Not Found"),
            }
        }
        _ => refuse(404, "Not Found"),
    }
}

fn open(world: &mut World, request: &Request<'_>) -> Answer {
    let text = |key: &str| request.body[key].as_str().unwrap().to_owned();
    let (branch, base) = (text("head"), text("base"));
    let invalid = |message: &str| {
        let errors = json!([{ "resource": "PullRequest", "code": "custom", "message": message }]);
        (
            422,
            Vec::new(),
            json!({ "message": "Validation Failed", "errors": errors }),
        )
    };
    if world
        .pulls
        .iter()
        .any(|p| p.branch == branch && p.state == "open")
    {
        return invalid(&format!("A pull request already exists for acme:{branch}."));
    }
    let Some(head) = world.heads.get(&branch).cloned() else {
        return invalid("head is invalid");
    };
    let row = PullRow {
        number: 100 + world.pulls.len() as u64,
        branch,
        base,
        head,
        state: "open",
        draft: false,
        mergeable: Some(true),
        mergeable_state: "clean",
    };
    world.pulls.push(row.clone());
    (201, Vec::new(), shown(&row, true))
}

fn merge(row: &mut PullRow, request: &Request<'_>) -> Answer {
    if request.body["merge_method"] != "squash" {
        return refuse(405, "Merge commits are not allowed on this repository.");
    }
    if row.state != "open" || row.mergeable != Some(true) {
        return refuse(405, "Pull Request is not mergeable");
    }
    if request.body["sha"] != row.head.as_str() {
        return refuse(409, "Head branch was modified. Review and try the merge again.");
    }
    row.state = "merged";
    ok(json!({ "sha": SQUASHED, "merged": true, "message": "Pull Request successfully merged" }))
}

fn shown(row: &PullRow, whole: bool) -> Value {
    let merged = row.state == "merged";
    let end = |branch: &str, sha: &str| json!({ "label": format!("acme:{branch}"), "ref": branch, "sha": sha, "repo": { "full_name": "acme/app" } });
    let mut value = json!({
        "number": row.number,
        "html_url": format!("https://github.example/acme/app/pull/{}", row.number),
        "state": if row.state == "open" { "open" } else { "closed" },
        "draft": row.draft,
        "merged_at": merged.then_some("2026-02-09T12:30:00Z"),
        "merge_commit_sha": if merged { SQUASHED } else { "0123456789012345678901234567890123456789" },
        "head": end(&row.branch, &row.head),
        "base": end(&row.base, "d"),
        "user": { "login": "orchestrator-bot" },
    });
    if whole {
        value["merged"] = merged.into();
        value["mergeable"] = row.mergeable.into();
        value["mergeable_state"] = row.mergeable_state.into();
    }
    value
}

fn reviews(world: &World, request: &Request<'_>) -> Answer {
    let shown = world.reviews.iter().map(|r| {
        json!({
            "id": r.id, "user": { "login": r.author }, "body": format!("words of {}", r.author), "commit_id": r.commit,
            "state": if r.dismissed { "DISMISSED" } else { r.state }, "submitted_at": "2026-02-09T12:10:00Z",
            "author_association": if r.trusted { "COLLABORATOR" } else { "NONE" },
        })
    });
    list(world, request, shown.collect(), Tells::Link)
}

fn notes(world: &World, request: &Request<'_>) -> Answer {
    let of = |id: u64, (path, line, body): &(&str, u64, &str)| {
        json!({
            "pull_request_review_id": id, "path": path, "line": line, "position": 99, "body": body, "user": { "login": "x" },
        })
    };
    let all = world
        .reviews
        .iter()
        .flat_map(|r| r.notes.iter().map(move |n| of(r.id, n)));
    list(world, request, all.collect(), Tells::Link)
}
