//! A worker as a job of a cluster, by deploy/job-worker.sh: it runs, speaks, fails, is ended, and never outlives its node.
//! Stand-ins take the place of `kubectl` and `nomad`: they read the job as it is submitted, and run what it says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::main_job::world::{World, section};

/// Both commands in one: jobs are folders, with the job's description and its process.
const CLUSTER: &str = r#"#!/usr/bin/env python3
import json, os, signal, subprocess, sys
words = [w for w in sys.argv[1:] if not w.startswith("--namespace")]
jobs = os.path.join(os.path.dirname(os.path.realpath(__file__)), "jobs")
os.makedirs(jobs, exist_ok=True)
def note(text):
    with open(os.path.join(jobs, "..", "calls"), "a") as out: out.write(text + "\n")
def start(name, description, command):
    os.mkdir(os.path.join(jobs, name))
    with open(os.path.join(jobs, name, "job.json"), "w") as out: json.dump(description, out)
    with open(os.path.join(jobs, name, "command.part"), "w") as out: json.dump(command, out)
    os.rename(os.path.join(jobs, name, "command.part"), os.path.join(jobs, name, "command"))
def pid(name):
    try: return int(open(os.path.join(jobs, name, "pid")).read())
    except FileNotFoundError: return None
def alive(name):
    # One that no machine has begun yet is on its way.
    try: return pid(name) is None or open(f"/proc/{pid(name)}/stat").read().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError: return False
def end(name):
    if pid(name) and alive(name): os.kill(pid(name), signal.SIGTERM)
note(" ".join(words[:3]))
if words[0] == "create":
    job = json.load(sys.stdin)
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert spec["restartPolicy"] == "Never" and job["spec"]["backoffLimit"] == 0
    assert container["securityContext"]["readOnlyRootFilesystem"] and container["image"] == "my-agents:1"
    start(job["metadata"]["name"], job, container["command"])
elif words[0] == "get":
    name = words[2]
    if os.path.exists(os.path.join(jobs, name)): print(name, "" if alive(name) else "Complete", end="")
elif words[0] == "delete":
    end(words[2])
elif words[:2] == ["job", "run"]:
    job = json.load(sys.stdin)["Job"]
    [group] = job["TaskGroups"]
    [task] = group["Tasks"]
    assert job["Type"] == "batch" and group["RestartPolicy"]["Attempts"] == 0 and task["Config"]["image"] == "my-agents:1"
    start(job["ID"], job, [task["Config"]["command"]] + task["Config"]["args"])
elif words[:2] == ["job", "inspect"]:
    print(words[-1], "running" if alive(words[-1]) else "dead")
elif words[:2] == ["job", "stop"]:
    end(words[-1])
else:
    sys.exit("unknown: " + " ".join(words))
"#;

/// A machine of the cluster: runs what was submitted, far from whoever submitted it.
const MACHINE: &str = r#"
import json, os, subprocess, sys, time
jobs = sys.argv[1]
os.makedirs(jobs, exist_ok=True)
begun = []
while True:
    for name in os.listdir(jobs):
        folder = os.path.join(jobs, name)
        if os.path.exists(os.path.join(folder, "command")) and not os.path.exists(os.path.join(folder, "pid")):
            # A container knows nothing of who submitted it.
            worker = subprocess.Popen(json.load(open(os.path.join(folder, "command"))), env={"PATH": os.environ["PATH"]},
                cwd="/", start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            begun.append(worker)
            with open(os.path.join(folder, "pid.part"), "w") as out: out.write(str(worker.pid))
            os.rename(os.path.join(folder, "pid.part"), os.path.join(folder, "pid"))
    for worker in begun: worker.poll()
    time.sleep(0.02)
"#;

/// An instance whose workers are jobs, and the cluster.
struct Scene {
    world: World,
    bin: tempfile::TempDir,
    machine: Child,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

impl std::ops::Deref for Scene {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

fn world(engine: &str, script: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path();
    let machine = Command::new("python3")
        .args(["-c", MACHINE])
        .arg(bin.join("jobs"))
        .spawn()
        .unwrap();
    for name in ["kubectl", "nomad"] {
        let path = bin.join(name);
        fs::write(&path, CLUSTER).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let submit = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/job-worker.sh");
    let runtime = format!(
        "[runtimes.cluster]\nkind = \"command\"\ncommand = [\"env\", \"PATH={}:{}\", \"WORKER_IMAGE=my-agents:1\", \
         \"WORKER_CLAIM=instance-shared\", \"WORKER_LEASE=3\", \"WORKER_ENV=PASSED\", \"PASSED=it's \\\"so\\\"\", \"sh\", \"{}\", \"{engine}\", \"sh\", \"-c\", '''{script}''']\n\
         [[tiers]]\nname = \"job\"\nmodel = \"m\"\nruntimes = [\"cluster\"]\n",
        bin.display(),
        std::env::var("PATH").unwrap(),
        submit.display(),
    );
    let world = World::configured("max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n", &runtime);
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    // The tier of jobs is the only one.
    let (start, rest) = text.split_once("[[tiers]]").unwrap();
    let (_, rest) = rest.split_once("[gate]").unwrap();
    fs::write(
        &config,
        format!("{start}[gate]{rest}").replace("kill_grace = \"300ms\"", "kill_grace = \"5s\""),
    )
    .unwrap();
    Scene {
        world,
        bin: folder,
        machine,
    }
}

fn calls(scene: &Scene) -> Vec<String> {
    let text = fs::read_to_string(scene.bin.path().join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const WORK: &str =
    r#"cat > prompt.txt; echo "hello from the job"; echo "$ORCHESTRATOR_TASK_ID:$PASSED" > done.txt"#;

fn whole_way(engine: &str) {
    let world = world(engine, WORK);
    world.save_tasks(&[&section("Build.One", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        world.outcomes("Build.One"),
        ["job:done"],
        "{}",
        world.run(&["logs", "Build.One"]).out
    );
    let logs = world.done(&["logs", "Build.One", "--raw"]).out;
    assert!(logs.contains("hello from the job"), "{logs}");
    let kept = world.state_dir().join("workspaces/Build.One");
    assert_eq!(
        fs::read_to_string(kept.join("done.txt")).unwrap(),
        "Build.One:it's \"so\"\n"
    );
    assert!(
        fs::read_to_string(kept.join("prompt.txt"))
            .unwrap()
            .contains("Do it.")
    );
    let desk = world.state_dir().join("attempts/Build.One/1/desk");
    assert!(!desk.join("job.env").exists(), "what was secret is gone");
    let token = Command::new("grep")
        .args(["-rl", "ORCHESTRATOR_TOKEN"])
        .arg(world.path("bin"))
        .output()
        .unwrap();
    assert!(token.stdout.is_empty());
}

#[test]
fn a_kubernetes_job_does_a_task_from_its_prompt_to_its_commit() {
    whole_way("kubernetes");
}

#[test]
fn so_does_a_batch_job_of_nomad() {
    whole_way("nomad");
}

#[test]
fn its_exit_code_is_the_worker_s() {
    let world = world("kubernetes", "echo cannot >&2; exit 77");
    world.save_tasks(&[&section("t", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "blocked");
    assert_eq!(world.outcomes("t"), ["job:blocked"]);
}

#[test]
fn a_cancelled_task_s_job_is_removed() {
    let world = world("kubernetes", "echo $$ > pid.txt; while :; do sleep 0.1; done");
    world.save_tasks(&[&section("t", "")]);
    let _up = world.up();
    let pid = world.until_file(&world.state_dir().join("workspaces/t/pid.txt"));
    world.done(&["cancel", "t"]);
    world.until_state("t", "cancelled");
    assert!(
        calls(&world)
            .iter()
            .any(|call| call.starts_with("delete job worker-t-1-")),
        "{:?}",
        calls(&world)
    );
    world.until("the worker is gone", || {
        (!Path::new("/proc").join(pid.trim()).exists()).then_some(())
    });
}

#[test]
fn a_job_whose_node_is_lost_ends_with_its_lease() {
    let world = world(
        "kubernetes",
        "echo $$ > pid.txt; trap '' TERM; while :; do sleep 0.1; done",
    );
    world.save_tasks(&[&section("t", "")]);
    let mut up = world.up();
    let pid = world.until_file(&world.state_dir().join("workspaces/t/pid.txt"));
    let pid = Path::new("/proc").join(pid.trim());
    // The machine of the node is gone: its service, the supervisor, and the script that speaks with the cluster.
    up.kill();
    let dir = world.state_dir().join("attempts/t/1");
    let killed = Instant::now();
    orchestrator::runtime::process::kill_strays(&dir, Duration::from_secs(10)).unwrap();
    assert!(pid.exists(), "the job is elsewhere, and goes on");
    world.until("it ends by itself", || (!pid.exists()).then_some(()));
    assert!(killed.elapsed() < Duration::from_secs(20));
}
