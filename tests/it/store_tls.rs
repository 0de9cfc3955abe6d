//! The way to a PostgreSQL server by TLS: proven where the address asks for it, and refused with the cause where it cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orchestrator::store::{self, OpenMode, StoreError};

use crate::postgres;
use crate::private_postgres::Private;

fn openssl(folder: &Path, words: &str) -> Option<()> {
    let mut command = Command::new("openssl");
    command
        .args(words.split(' '))
        .current_dir(folder)
        .stderr(Stdio::null());
    command
        .status()
        .is_ok_and(|status| status.success())
        .then_some(())
}

/// An authority of our own.
fn authority(folder: &Path, name: &str) -> Option<PathBuf> {
    let made = format!(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
    );
    openssl(folder, &made)?;
    Some(folder.join(format!("{name}.pem")))
}

/// A certificate for `localhost` that the authority `ours` signed, and its key.
fn certificate(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
    )?;
    let sign = "x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile names -out server.pem";
    openssl(folder, sign)?;
    Some((folder.join("server.pem"), folder.join("server.key")))
}

async fn opened(url: &str) -> Result<(), StoreError> {
    let store = store::open(&postgres::address(url), OpenMode::Migrate).await?;
    store.newest_seq().await?;
    store.close().await;
    Ok(())
}

fn is_refused(answer: &Result<(), StoreError>, cause: &str) {
    let Err(StoreError::Unusable { reason, .. }) = answer else {
        panic!("not refused for good: {answer:?}");
    };
    assert!(reason.contains(cause), "{reason}");
}

#[tokio::test]
async fn a_connection_is_as_safe_as_the_address_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let Some(ours) = authority(folder.path(), "ours") else {
        return;
    };
    let other = authority(folder.path(), "other").unwrap();
    let (cert, key) = certificate(folder.path()).unwrap();
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        nix::unistd::chown(&key, Some(nobody.uid), Some(nobody.gid)).unwrap();
    }
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", cert.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    let Some(server) = Private::start_with_tls(&settings).await else {
        return;
    };
    let url = |host: &str, options: &str| {
        format!("postgres://postgres@{host}:{}/postgres?{options}", server.port())
    };
    let full = format!("sslmode=verify-full&sslrootcert={}", ours.display());
    let wrong = format!("sslmode=verify-full&sslrootcert={}", other.display());

    opened(&url("localhost", "sslmode=require")).await.unwrap();
    opened(&url("localhost", &full)).await.unwrap();
    let safe: bool = {
        use sqlx::ConnectOptions;
        let options: sqlx::postgres::PgConnectOptions = url("localhost", &full).parse().unwrap();
        let mut conn = options.connect().await.unwrap();
        let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        sqlx::query_scalar(ssl).fetch_one(&mut conn).await.unwrap()
    };
    assert!(safe);
    is_refused(
        &opened(&url("localhost", &wrong)).await,
        "certificate is not accepted",
    );
    is_refused(
        &opened(&url("127.0.0.1", &full)).await,
        "certificate is not accepted",
    );
    // What nobody signed that this machine knows.
    is_refused(
        &opened(&url("localhost", "sslmode=verify-full")).await,
        "certificate is not accepted",
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_the_address_asks_for_it() {
    let Some(server) = Private::start().await else {
        return;
    };
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/postgres?sslmode=require",
        server.port()
    );
    is_refused(&opened(&url).await, "a safe connection cannot be had");
}
