//! Other queues on the same server, in the same run: graphile-worker and pg-boss, by the scripts in `peers/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::lanes::JOBS;
use super::server::Server;

/// What a peer did: things a second, and the times from a call to its handler.
pub struct Peer {
    pub bulk: f64,
    pub single: f64,
    pub process: f64,
    /// Seconds.
    pub latencies: Vec<f64>,
}

/// Where the peers are installed.
pub struct Peers {
    folder: PathBuf,
    node: PathBuf,
}

impl Peers {
    /// Installs them where that is to do; nothing, with a word of why, where they cannot be had.
    pub fn find() -> Option<Self> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/figures/peers/install.sh");
        let said = Command::new(script).output().ok()?;
        let text = String::from_utf8_lossy(&said.stdout);
        match text.lines().collect::<Vec<_>>()[..] {
            [folder, node] if said.status.success() => Some(Self {
                folder: folder.into(),
                node: node.into(),
            }),
            _ => {
                eprintln!(
                    "left out: the peers cannot be installed: {}",
                    String::from_utf8_lossy(&said.stderr)
                );
                None
            }
        }
    }

    /// One run of one of them on a new database: `graphile.mjs default`, `graphile.mjs batched` or `pgboss.mjs`.
    pub async fn run(&self, server: &Server, script: &str, setting: Option<&str>) -> anyhow::Result<Peer> {
        let database = server.database().await?;
        let said = tokio::process::Command::new(&self.node)
            .arg(self.folder.join(script))
            .arg(&database.url)
            .args(setting)
            .arg(JOBS.to_string())
            .output()
            .await?;
        let text = String::from_utf8_lossy(&said.stdout);
        let told: Value = serde_json::from_str(&text)
            .with_context(|| format!("{script}: {}", String::from_utf8_lossy(&said.stderr)))?;
        database.remove().await?;
        let number = |name: &str| {
            told[name]
                .as_f64()
                .with_context(|| format!("{script}: no {name}"))
        };
        let latencies = told["latencies"].as_array().into_iter().flatten();
        Ok(Peer {
            bulk: number("bulk")?,
            single: number("single")?,
            process: number("process")?,
            latencies: latencies.filter_map(|ms| Some(ms.as_f64()? / 1e3)).collect(),
        })
    }
}
