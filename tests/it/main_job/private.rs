//! Whole: a task's workspace is a private repository of the forge, cloned by the forge's token, which no worker sees.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::world::{World, finished, section};

const TOKEN: &str = "a-token-of-the-forge";

/// Serves the files below a folder over TLS to whoever has the login, and writes down who came without.
const SERVER: &str = r#"
import base64, functools, http.server, os, ssl, sys
folder, cert, key, log = sys.argv[1:]
token = os.environ["TOKEN"]
login = "Basic " + base64.b64encode(("x-access-token:" + token).encode()).decode()
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Authorization") == login
        with open(log, "a") as out:
            out.write(("in " if known else "out ") + self.path + "\n")
        if known:
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// An instance and a private forge; the forge ends with it.
struct Scene {
    world: World,
    server: Child,
    host: String,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Scene {
    /// None where the machine cannot make certificates or serve.
    fn set() -> Option<Self> {
        let world = World::new();
        let project = world.repository("project", &[("a.txt", "one\n")].into());
        let bare = world.path("served/acme/app.git");
        fs::create_dir_all(bare.parent().unwrap()).unwrap();
        let (from, to) = (project.to_str().unwrap(), bare.to_str().unwrap());
        world.git(&project, &["clone", "-q", "--bare", from, to]);
        world.git(&bare, &["update-server-info"]);
        let [cert, key, log] = ["cert.pem", "key.pem", "log"].map(|name| world.path(name));
        let mut made = Command::new("openssl");
        made.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '));
        made.arg("-keyout").arg(&key).arg("-out").arg(&cert);
        if !made
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            return None;
        }
        let served = world.path("served");
        let mut server = Command::new("python3");
        server
            .arg("-c")
            .arg(SERVER)
            .args([&served, &cert, &key])
            .arg(&log);
        // Arguments are for everybody to read.
        server.env("TOKEN", TOKEN);
        let mut server = server.stdout(Stdio::piped()).spawn().ok()?;
        let mut port = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut port).ok()?;
        let host = format!("localhost:{}", port.trim());
        fs::write(log, "").unwrap();
        Some(Self { world, server, host })
    }

    fn config(&self, more: &str) {
        let config = self.world.root().join("orchestrator.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(config, format!("{text}{more}")).unwrap();
    }

    fn ticked(&self) {
        let url = format!("- **Workspace:** https://{}/acme/app.git\n", self.host);
        self.world.save_tasks(&[&section("t", &url)]);
        let mut command = self.world.command(&["tick", "--wait"]);
        command.env("FORGE_TOKEN", TOKEN);
        command.env("GIT_SSL_CAINFO", self.world.path("cert.pem"));
        let ran = finished(&mut command);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// Who came: with the login, without.
    fn came(&self) -> (usize, usize) {
        let log = fs::read_to_string(self.world.path("log")).unwrap();
        let with = |word: &str| log.lines().filter(|line| line.starts_with(word)).count();
        (with("in "), with("out "))
    }

    /// The files of the clone, where there is one.
    fn clones(&self) -> Vec<PathBuf> {
        let repos = fs::read_dir(self.world.state_dir().join("repos"));
        repos
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

/// Seen to fail with `with_login` taken out of `service::instance`: the clone is refused.
#[test]
fn a_private_repository_of_the_forge_is_cloned_by_its_token_and_no_worker_sees_it() {
    let Some(scene) = Scene::set() else { return };
    let host = &scene.host;
    scene.config(&format!(
        "[forge]\nkind = \"gitea\"\nhost = \"{host}\"\ntoken = \"${{FORGE_TOKEN}}\"\n"
    ));
    let word = "eC1hY2Nlc3MtdG9rZW46";
    scene.world.worker(
        "t",
        &format!(
            "cp a.txt done.txt\n{{ env; git config --list --show-origin; cat $(git rev-parse --git-common-dir)/config; cat /proc/*/cmdline; }} \
             2>/dev/null | tr '\\0' ' ' > seen.txt\nif grep -q -e {TOKEN} -e {word} seen.txt; then cp seen.txt leak.txt; fi\nrm seen.txt\n"
        ),
    );
    scene.ticked();
    let task = scene.world.until_state("t", "completed");
    let branch = scene
        .world
        .git(&scene.clones()[0], &["ls-tree", "--name-only", "orchestrator/t"]);
    assert_eq!(branch, "a.txt\ndone.txt\n", "{task:#}");
    let (with, without) = scene.came();
    assert!(with > 3 && without == 0, "{with} {without}");
    let written = Command::new("grep")
        .args(["-rlE", &format!("{TOKEN}|{word}")])
        .arg(scene.world.root())
        .output();
    let written = String::from_utf8(written.unwrap().stdout).unwrap();
    // The worker's own script looks for it.
    let written: Vec<&str> = written
        .lines()
        .filter(|path| !path.contains("/workers/"))
        .collect();
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn a_repository_elsewhere_is_not_handed_the_token() {
    let Some(scene) = Scene::set() else { return };
    scene.config("[forge]\nkind = \"gitea\"\nhost = \"forge.example\"\ntoken = \"${FORGE_TOKEN}\"\n");
    scene.ticked();
    let task = scene
        .world
        .until_task("t", "refused", |task| task["state"] != "running");
    assert_ne!(task["state"], "completed", "{task:#}");
    let (with, without) = scene.came();
    assert!(with == 0 && without > 0, "{with} {without}");
}
