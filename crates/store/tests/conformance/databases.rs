//! A database for each case.

use std::env;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use store::{Database, Store};

/// Runs a case on a file in a folder that is deleted afterwards.
pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(
    case: impl FnOnce(Store, Database) -> F,
) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("medic.db"));
    let store = Store::open(&database).await.unwrap();
    case(store.clone(), database).await;
    store.close().await;
}

/// Runs a case on a database of its own in the server that `MEDIC_TEST_POSTGRES` names, and drops it, also when the case fails.
pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(
    case: impl FnOnce(Store, Database) -> F,
) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("medic_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let server = env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names the server");
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let drop_it = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    admin.execute(AssertSqlSafe(drop_it.clone())).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();

    let (server, _) = server.rsplit_once('/').expect("the url names a database");
    let database = Database::Postgres(format!("{server}/{name}"));
    let store = Store::open(&database).await.unwrap();
    let outcome = tokio::spawn(case(store.clone(), database)).await;
    store.close().await;
    admin.execute(AssertSqlSafe(drop_it)).await.unwrap();
    if let Err(failure) = outcome {
        resume_unwind(failure.into_panic());
    }
}

/// Changes a database as another program would.
pub(crate) async fn change(database: &Database, sql: &'static str) {
    match database {
        Database::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// Every table with every column of it, sorted, without what the migrations' own book-keeping has.
pub(crate) async fn columns(database: &Database) -> Vec<(String, String)> {
    let mut columns: Vec<(String, String)> = match database {
        Database::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
            let sql = "SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c \
                       WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let sql = "SELECT table_name::TEXT, column_name::TEXT FROM information_schema.columns \
                       WHERE table_schema = 'public'";
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        }
    };
    columns.retain(|(table, _)| table != "_sqlx_migrations");
    columns.sort();
    columns
}

/// How many rows a table has.
pub(crate) async fn rows(database: &Database, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match database {
        Database::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
    }
}
