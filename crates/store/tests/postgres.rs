//! What only a database server can get wrong: who may in, where it is, and that it goes away.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::env;
use std::net::TcpListener;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::{Cause, Database, Store, StoreError};

async fn refusal(url: &str) -> StoreError {
    Store::open(&Database::Postgres(url.to_owned())).await.unwrap_err()
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_being_repeated() {
    for url in ["postgres://", "not a url", "mysql://u:secret@h/d", "postgres://u:secret@h:port/d"] {
        let error = refusal(url).await;
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    let shown = format!("{:?}", Database::Postgres("postgres://u:secret@h/d".to_owned()));
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn a_url_that_demands_tls_is_refused_before_connecting() {
    for demand in ["require", "verify-ca", "verify-full"] {
        let error = refusal(&format!("postgres://u:secret@127.0.0.1:1/d?sslmode={demand}")).await;
        assert!(matches!(error, StoreError::Tls { .. }), "{error}");
        assert!(error.to_string().contains("postgres://u@127.0.0.1:1/d demands TLS"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // free a moment ago
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&format!("postgres://u:secret@127.0.0.1:{port}/d")).await;
    assert_eq!(error.cause(), Some(Cause::Unreachable), "{error}");
    assert!(error.to_string().contains(&format!("postgres://u@127.0.0.1:{port}/d")), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
async fn who_may_not_in_is_told_why() {
    let server = env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names the server");
    let (address, _) = server.rsplit_once('/').unwrap();
    let error = refusal(&format!("{address}/medic_test_no_such_database")).await;
    assert_eq!(error.cause(), Some(Cause::NoDatabase), "{error}");

    let (_, host) = server.split_once('@').unwrap();
    let error = refusal(&format!("postgres://medic_test_nobody:secret@{host}")).await;
    assert_eq!(error.cause(), Some(Cause::Login), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

/// A database of its own, to be dropped in the end.
async fn made(name: &'static str) -> (PgConnection, Database) {
    let server = env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names the server");
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    (admin, Database::Postgres(format!("{address}/{name}")))
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let (mut admin, database) = made("medic_test_at_once").await;
    let open = || Store::open(&database);
    let stores = tokio::join!(open(), open(), open(), open());
    for store in [stores.0, stores.1, stores.2, stores.3] {
        let store = store.unwrap();
        store.check().await.unwrap();
        store.close().await;
    }
    admin.execute("DROP DATABASE medic_test_at_once WITH (FORCE)").await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
async fn connections_that_the_server_ended_are_made_again() {
    let (mut admin, database) = made("medic_test_ended").await;
    let store = Store::open(&database).await.unwrap();
    store.check().await.unwrap();

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'medic_test_ended'";
    assert_eq!(admin.fetch_all(end).await.unwrap().len(), 1);
    store.check().await.expect("the next call finds a connection that lives");
    store.close().await;
    admin.execute("DROP DATABASE medic_test_ended WITH (FORCE)").await.unwrap();
}
