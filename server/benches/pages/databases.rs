//! A database of the bench's own on a PostgreSQL server.

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::Database;

pub(crate) struct Made {
    admin: PgConnection,
    name: String,
    pub(crate) database: Database,
}

pub(crate) async fn create(server: &str) -> Result<Made> {
    let name = format!("medic_bench_{}", std::process::id());
    let mut admin = PgConnection::connect(server).await?;
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
    let (server, _) = server.rsplit_once('/').context("MEDIC_TEST_POSTGRES names a database")?;
    let database = Database::Postgres(format!("{server}/{name}"));
    Ok(Made { admin, name, database })
}

impl Made {
    pub(crate) async fn drop(mut self) -> Result<()> {
        self.admin.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await?;
        Ok(self.admin.close().await?)
    }
}
