//! The way to a PostgreSQL server by TLS: proven where the address asks for it, and refused with the cause where it cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orchestrator::store::{self, OpenMode, StoreError};

use crate::postgres;
use crate::private_postgres::Private;

/// A certificate for `localhost` that signs itself, and its key; none where there is no openssl.
fn certificate(folder: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
    let (cert, key) = (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.key")),
    );
    let mut made = Command::new("openssl");
    made.args(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
            .split(' '),
    );
    made.arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .stderr(Stdio::null());
    made.status()
        .is_ok_and(|status| status.success())
        .then_some((cert, key))
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
    let Some((cert, key)) = certificate(folder.path(), "server") else {
        return;
    };
    let (other, _) = certificate(folder.path(), "other").unwrap();
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
    let full = format!("sslmode=verify-full&sslrootcert={}", cert.display());
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
