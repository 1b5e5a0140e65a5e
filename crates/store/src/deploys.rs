//! When apps' workers began to run other code, one row each; and what each app runs on each node now, which the next start is
//! compared with.

use model::deploy::{Code, Deploy};
use model::{AppName, NodeName, TimeRange, Timestamp};

use crate::access::Writing;
use crate::sql::{Durability, Row, json};
use crate::{Store, StoreError, bounds};

impl Store {
    /// Remembers from which code an app's worker was started; says whether it is other code than that of the worker before.
    pub async fn record_start(
        &self,
        app: &AppName,
        node: &NodeName,
        at: Timestamp,
        code: &Code,
    ) -> Result<bool, StoreError> {
        self.insert_start(app, node, at, &bounds::code(code)).await.map_err(self.failed("Recording a deploy"))
    }

    async fn insert_start(
        &self,
        app: &AppName,
        node: &NodeName,
        at: Timestamp,
        code: &Code,
    ) -> sqlx::Result<bool> {
        let known = "SELECT code FROM app_code WHERE node = $1 AND app = $2";
        let rows = self.sql.rows(known, vec![node.into(), app.into()]).await?;
        let known: Option<Code> = rows.first().map(|row| row.json("code")).transpose()?;
        if known.as_ref() == Some(code) {
            return Ok(false);
        }
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        let before = match &known {
            Some(before) => json(before)?,
            None => crate::sql::Value::MaybeText(None),
        };
        let sql = "INSERT INTO deploy (app, at_ms, node, code, code_from) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        transaction.execute(sql, vec![app.into(), at.into(), node.into(), json(code)?, before]).await?;
        let sql = "INSERT INTO app_code (node, app, since_ms, code) VALUES ($1, $2, $3, $4) ON CONFLICT (node, app) DO UPDATE SET \
                   since_ms = excluded.since_ms, code = excluded.code";
        transaction.execute(sql, vec![node.into(), app.into(), at.into(), json(code)?]).await?;
        transaction.commit().await?;
        Ok(known.is_some())
    }

    /// An app's deploys in a range, newest first. The first code that was ever seen of it is none.
    pub async fn deploys(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Deploy>, StoreError> {
        let sql = "SELECT app, at_ms, node, code, code_from FROM deploy WHERE app = $1 AND at_ms >= $2 AND at_ms < $3 \
                   AND code_from IS NOT NULL ORDER BY at_ms DESC, node LIMIT $4";
        let deploys = self.sql.read_in(sql, app, range, limit, deploy_of).await;
        deploys.map_err(self.failed("Reading deploys"))
    }

    /// From which code a worker was started at a time; `None` where that is not known.
    pub async fn code_at(
        &self,
        app: &AppName,
        node: &NodeName,
        at: Timestamp,
    ) -> Result<Option<Code>, StoreError> {
        let rows = self.sql.rows(CODE_AT, vec![app.into(), node.into(), at.into()]).await;
        rows.and_then(|rows| rows.first().map(|row| row.json("code")).transpose())
            .map_err(self.failed("Reading which code an app ran"))
    }
}

/// Of an app (`$1`) on a node (`$2`) at a time (`$3`). What is in force now is kept however old it is.
const CODE_AT: &str = "SELECT code FROM (\
                       SELECT since_ms AS at_ms, code FROM app_code WHERE app = $1 AND node = $2 AND since_ms <= $3 \
                       UNION ALL \
                       SELECT at_ms, code FROM deploy WHERE app = $1 AND node = $2 AND at_ms <= $3) AS known \
                       ORDER BY at_ms DESC LIMIT 1";

/// The same within the transaction of a crash.
pub(crate) async fn code_at(
    transaction: &mut Writing<'_>,
    app: &AppName,
    node: &NodeName,
    at: Timestamp,
) -> sqlx::Result<Option<Code>> {
    let rows = transaction.rows(CODE_AT, vec![app.into(), node.into(), at.into()]).await?;
    rows.first().map(|row| row.json("code")).transpose()
}

fn deploy_of(row: &Row) -> sqlx::Result<Deploy> {
    let from = row.maybe_raw("code_from")?;
    Ok(Deploy {
        app: row.name("app")?,
        node: row.node()?,
        at: Timestamp::from_ms(row.int("at_ms")?),
        to: row.json("code")?,
        from: from.map(|_| row.json("code_from")).transpose()?,
    })
}
