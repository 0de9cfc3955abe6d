//! The examples below the help of a verb: what people copy.

pub(super) const TOP: &str = "\
Examples:
  orchestrator demo                         see it work, without keys or network
  orchestrator init && orchestrator up      make an instance here and run it
  orchestrator add fix-login \"Fix the login\" --check 'cargo test'
  orchestrator status --watch               what happens now
  orchestrator why fix-login                what it waits for, and who must act

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not found, 4 refused, 5 not reachable";

pub(super) const INIT: &str = "\
Examples:
  orchestrator init              make the current folder an instance
  orchestrator init ~/work       make another one; what is there already is kept";

pub(super) const DEMO: &str = "\
Examples:
  orchestrator demo              a run in a temporary folder, removed at the end
  orchestrator demo --keep       look around in it afterwards";

pub(super) const UP: &str = "\
The queue file may be edited while it runs: an edit acts at once. Ctrl-C ends the service;
running workers are taken up again by the next `up`.

Examples:
  orchestrator up
  orchestrator --home ~/work up -v";

pub(super) const NODE: &str = "\
A fleet is several services on one PostgreSQL store ([store] url = \"postgres://…\").

Examples:
  orchestrator node list
  orchestrator node drain host-2 --within 30m    before its machine goes down
  orchestrator node uncordon host-2
  orchestrator node queue host-1                 host-1 keeps the queue file from now on";

pub(super) const MATRIX: &str = "\
A surface of kind \"matrix\" ([chat.NAME]; docs/CHAT.md). All but `invite` want the service ended: a device is one process's.

Examples:
  orchestrator matrix login                      once; the device is kept, the recovery key written down
  orchestrator matrix bootstrap                  the Space and its rooms, made or found again
  orchestrator matrix verify                     whether others trust the device
  orchestrator matrix invite --uses 1 --expires 7d --admin-token ~/admin-token";

pub(super) const TICK: &str = "\
Examples:
  orchestrator tick              start what may start, then exit
  orchestrator tick --wait       and stay until nothing runs: for cron and CI";

pub(super) const STOP: &str = "\
Examples:
  orchestrator stop --all        nothing runs and nothing starts, until:
  orchestrator start
One task alone: `orchestrator pause ID`.";

pub(super) const STATUS: &str = "\
Examples:
  orchestrator status
  orchestrator status --watch --project shop
  orchestrator status --json | jq '.tasks[] | select(.state == \"blocked\").id'";

pub(super) const LOGS: &str = "\
Examples:
  orchestrator logs fix-login -f
  orchestrator logs fix-login --attempt 1 --raw > attempt-1.jsonl";

pub(super) const EVIDENCE: &str = "\
It is of the newest run of the task's gate, made in a fresh checkout of the commit that was judged.

Examples:
  orchestrator evidence fix-login
  orchestrator evidence fix-login 'home page' --to /tmp/look    then open /tmp/look/home-page/";

pub(super) const ADD: &str = "\
Examples:
  orchestrator add fix-login \"Fix the login\" -d 'Users with a plus in their address cannot log in.' \\
      --workspace ../shop --priority high --check 'cargo test -p login'
  orchestrator add write-docs --job research-report --depends-on fix-login,add-search";

pub(super) const LINT: &str = "\
Examples:
  orchestrator lint                          the instance's queue and jobs
  orchestrator lint docs/PROACTIVE-JOBS.md   any file, without an instance";

pub(super) const APPROVE: &str = "\
An approval is bound to the commit that was judged. See it first: `orchestrator show ID`.

Examples:
  orchestrator approve fix-login --comment 'Checked by hand on staging.'
  orchestrator approve fix-login --commit 3f9c2ab    refused if another commit waits by now
  orchestrator reject fix-login --comment 'The error page is still blank.'";

pub(super) const ANSWER: &str = "\
The question is in `orchestrator why ID`. The answer stands in every further prompt of the task.

Examples:
  orchestrator answer fix-login 'Yes, plus signs are allowed.'";

pub(super) const SLACK: &str = "\
It asks for exactly what the program uses, and calls nothing. docs/CHAT.md tells the five minutes around it.

Examples:
  orchestrator slack manifest > app.json                               no public address: Socket Mode
  orchestrator slack manifest --url https://work.example.org/chat/team     Slack calls this service";

pub(super) const CONFIG: &str = "\
Examples:
  orchestrator config show
  ORCHESTRATOR__SCHEDULER__MAX_CONCURRENT=4 orchestrator config show";

pub(super) const BACKUP: &str = "\
The service may run meanwhile. The file is the same for both engines, so a fleet's backup restores into either.

Examples:
  orchestrator backup                       backups/orchestrator-20260209T223000.backup
  orchestrator backup /mnt/backups          a new file there: for cron";

pub(super) const RESTORE: &str = "\
A damaged or newer backup is refused, and so is a store that holds tasks, without --replace. Files that are there
are left as they are. Nothing is claimed until `orchestrator start`.

Examples:
  orchestrator restore --check house.backup    verify it, and see what would differ
  orchestrator restore --replace house.backup  put it back; what was there is put aside
  orchestrator restore --check                 compare the store as it is with what there is";

pub(super) const COMPLETIONS: &str = "\
Examples:
  orchestrator completions bash > ~/.local/share/bash-completion/completions/orchestrator
  orchestrator completions zsh > ~/.zfunc/_orchestrator
  orchestrator completions fish > ~/.config/fish/completions/orchestrator.fish";

pub(super) const AGENT: &str = "\
These need nothing but the environment that the orchestrator gives to its workers.

Examples:
  orchestrator agent heartbeat --pct 40 --phase 'writing tests'
  orchestrator agent log Found the cause: the address is not escaped.
  orchestrator agent criterion 2 'check tests, src/login.rs:40'
  orchestrator agent ask May an address hold a plus sign?
  orchestrator agent spawn --id docs --title 'Document it' --description 'Write docs/login.md.'
  orchestrator agent done --reason 'the login accepts every valid address'";

pub(super) const MCP: &str = "\
Runtimes that take MCP servers are given it; it needs nothing but the environment of an attempt, and refuses
to serve where the token is not that of the attempt.

For a tool that is configured by hand:
  { \"mcpServers\": { \"orchestrator\": { \"command\": \"orchestrator\", \"args\": [\"mcp\"] } } }";
