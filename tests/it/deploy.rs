//! What is in deploy/: files that parse, settings that exist, nothing secret, nothing unpinned.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrator::config::{self, Environment};
use serde_json::Value;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The documents of a file.
fn documents(name: &str) -> Vec<Value> {
    text(name).split("\n---\n").map(yaml).collect()
}

/// Every object within a value.
fn objects(value: &Value) -> Vec<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(map) => std::iter::once(map)
            .chain(map.values().flat_map(objects))
            .collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.')
}

/// `${NAME:?…}` and the like, as whoever runs it would have set them.
fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (_, after) = after.split_once('}').unwrap();
        out.push('x');
        rest = after;
    }
    out + rest
}

/// That these variables are settings of ours, with values that the configuration takes.
fn settings_exist(variables: &[(String, String)]) {
    let env: Vec<(String, String)> = { variables.iter() }
        .filter(|(name, _)| name.starts_with("ORCHESTRATOR__"))
        .map(|(name, value)| (name.clone(), filled(value)))
        .collect();
    assert!(!env.is_empty());
    let environment: Environment = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let loaded = config::parse(Path::new("orchestrator.toml"), "", &environment, &[]);
    assert!(loaded.is_ok(), "{env:?}: {:?}", loaded.err());
}

fn secrets_are_references(name: &str, value: &str) {
    let words = ["PASSWORD", "TOKEN", "KEY", "SECRET"];
    let secret = words.iter().any(|word| name.contains(word)) || value.contains("://");
    assert!(
        !secret || value.is_empty() || value.contains("${"),
        "{name} has a value of its own"
    );
}

#[test]
fn compose_is_locked_down_and_waits_for_what_is_ready() {
    let file = yaml(&text("compose.yaml"));
    let services = file["services"].as_object().unwrap();
    assert_eq!(services.len(), 4);
    for (name, service) in services {
        assert!(
            service["healthcheck"]["test"].is_array(),
            "{name} has no health check"
        );
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert!(
            is_pinned(service["image"].as_str().unwrap()),
            "{name}: {}",
            service["image"]
        );
        for never in ["privileged", "ports", "network_mode", "pid"] {
            assert!(service[never].is_null(), "{name} has {never}");
        }
        let variables = service["environment"].as_object().unwrap();
        let variables: Vec<(String, String)> = { variables.iter() }
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        variables
            .iter()
            .for_each(|(key, value)| secrets_are_references(key, value));
        if service["build"].is_object() {
            settings_exist(&variables);
            for server in ["postgres", "valkey"] {
                assert_eq!(
                    service["depends_on"][server]["condition"], "service_healthy",
                    "{name}"
                );
            }
        }
    }
    assert_eq!(services["worker"]["profiles"][0], "fleet");
    let named = |name: &str| !file["volumes"].as_object().unwrap().contains_key(name);
    assert!(["postgres", "valkey", "worker"].iter().all(|name| !named(name)));
}

#[test]
fn the_environment_file_is_made_once_with_secrets_of_its_own() {
    let scene = tempfile::tempdir().unwrap();
    let script = scene.path().join("init.sh");
    fs::copy(deploy("init.sh"), &script).unwrap();
    fs::create_dir(scene.path().join("instance")).unwrap();
    fs::write(scene.path().join("instance/orchestrator.toml"), "").unwrap();
    let made = || {
        let ran = std::process::Command::new("sh").arg(&script).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        fs::read_to_string(scene.path().join(".env")).unwrap()
    };
    let first = made();
    assert_eq!(made(), first, "what is there is kept");
    let value = |name: &str| {
        let line = first
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name} in {first}")).to_owned()
    };
    assert_eq!(value("POSTGRES_PASSWORD").len(), 48);
    assert_ne!(value("POSTGRES_PASSWORD"), value("VALKEY_PASSWORD"));
    assert_ne!(value("ORCHESTRATOR_UID"), "0");
    let compose = text("compose.yaml");
    for (at, _) in compose.match_indices("${") {
        let name: String = compose[at + 2..]
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || *c == '_')
            .collect();
        value(&name);
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(scene.path().join(".env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn manifests_of_kubernetes_are_locked_down_and_hold_no_secret() {
    let all: Vec<Value> = { ["kubernetes/orchestrator.yaml", "kubernetes/jobs.yaml"].iter() }
        .flat_map(|name| documents(name))
        .collect();
    let mut containers = 0;
    for document in &all {
        let kind = document["kind"].as_str().unwrap();
        assert_ne!(kind, "Secret");
        assert!(
            document["apiVersion"].is_string() && document["metadata"]["name"].is_string(),
            "{kind}"
        );
        assert_eq!(document["metadata"]["namespace"], "orchestrator", "{kind}");
        for object in objects(document) {
            let Some(image) = object.get("image").and_then(Value::as_str) else {
                continue;
            };
            containers += 1;
            assert!(is_pinned(image), "{image}");
            let security = &object["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
            assert!(object["resources"]["limits"]["memory"].is_string());
            let Some(env) = object.get("env").and_then(Value::as_array) else {
                continue;
            };
            let placeholder = |name: &str| {
                if name.ends_with("STORE__URL") {
                    "postgres://u@h/d"
                } else if name.ends_with("BUS__URL") {
                    "redis://h:6379"
                } else {
                    "node-1"
                }
            };
            let variables: Vec<(String, String)> = { env.iter() }
                .map(|one| {
                    assert!(one["valueFrom"].is_object(), "{one}");
                    let name = one["name"].as_str().unwrap().to_owned();
                    let value = placeholder(&name).to_owned();
                    (name, value)
                })
                .collect();
            settings_exist(&variables);
            assert!(object["readinessProbe"]["exec"]["command"].is_array());
        }
    }
    assert_eq!(containers, 4);
    let config = all[0]["data"]["orchestrator.toml"].as_str().unwrap();
    let none: Environment = std::iter::empty::<(&str, &str)>().collect();
    assert!(config::parse(Path::new("orchestrator.toml"), config, &none, &[]).is_ok());
    let verbs = all.iter().find(|one| one["kind"] == "Role").unwrap();
    assert_eq!(
        verbs["rules"].as_array().unwrap().len(),
        1,
        "jobs, and nothing else"
    );
}

#[test]
fn the_job_of_nomad_is_locked_down_and_holds_no_secret() {
    let job: Value = serde_json::from_str(&text("nomad/orchestrator.nomad.json")).unwrap();
    let tasks: Vec<_> = { objects(&job).into_iter() }
        .filter(|one| one.contains_key("Driver"))
        .collect();
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        let config = &task["Config"];
        assert!(is_pinned(config["image"].as_str().unwrap()));
        assert_eq!(config["readonly_rootfs"], true);
        assert_eq!(config["cap_drop"][0], "all");
        let variables = task["Env"].as_object().unwrap();
        let variables: Vec<(String, String)> = { variables.iter() }
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        settings_exist(&variables);
        variables
            .iter()
            .for_each(|(key, value)| secrets_are_references(key, value));
        let template = task["Templates"][0]["EmbeddedTmpl"].as_str().unwrap();
        for line in template.lines().filter(|line| line.contains('=')) {
            let (name, value) = line.split_once('=').unwrap();
            assert!(value.starts_with("{{ .Data"), "{name} has a value of its own");
        }
    }
}

#[test]
fn the_image_is_small_and_nobody_s_root() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let stages: Vec<&str> = text.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert!(stages.iter().all(|stage| stage.contains("-slim")), "{stages:?}");
    let (_, last) = text.rsplit_once("\nFROM ").unwrap();
    for wanted in [
        "\nUSER ${UID}\n",
        "\nHEALTHCHECK ",
        "\nENTRYPOINT [\"tini\"",
        "ARG UID=10001",
    ] {
        assert!(last.contains(wanted), "{wanted}");
    }
    assert!(!last.contains("\nADD ") && !last.contains("curl"), "{last}");
}

/// The homeserver at home: pinned, without a password of its own, and its templates ask for nothing that init.sh does not make.
#[test]
fn the_homeserver_at_home_is_pinned_and_has_no_secret_in_a_file() {
    let compose = yaml(&text("matrix/compose.yaml"));
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), 7);
    for (name, service) in services {
        let image = service["image"].as_str().unwrap();
        assert!(is_pinned(&image.replace(":v", ":")), "{name}: {image}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        let variables = service["environment"].as_object().into_iter().flatten();
        // The key of LiveKit is a name; its secret is the other one.
        for (variable, value) in variables.filter(|(name, _)| *name != "LIVEKIT_KEY") {
            secrets_are_references(variable, value.as_str().unwrap_or_default());
        }
    }
    let init = text("matrix/init.sh");
    let templates = [
        "homeserver.yaml",
        "element.json",
        "livekit.yaml",
        "turnserver.conf",
    ];
    for template in templates.map(|name| text(&format!("matrix/{name}.template"))) {
        let is_name =
            |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let names: Vec<&str> = template.split('@').filter(is_name).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(init.contains(name), "init.sh does not make {name}");
        }
    }
}
