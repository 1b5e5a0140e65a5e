//! The thin layer that lets each statement be written once.
//!
//! `sqlx` has a type for each database's pool, transaction and row, and its `Any` refuses what the two have in common here. So
//! the few calls that are needed are stamped for both by a macro, over the two kinds of value that are stored: whole numbers
//! and text. What is portable between SQLite and PostgreSQL 15: `$N`, `RETURNING`, `ON CONFLICT`, `CASE`, `LIMIT`, row values,
//! `string_agg`, `BIGINT`, `TEXT`.

use model::{AppName, NodeName, Place, text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Postgres, Row as _, Sqlite};

/// What a `$N` stands for.
#[derive(Clone)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
    MaybeInt(Option<i64>),
    MaybeText(Option<String>),
}

/// The open connections.
pub(crate) enum Pools {
    Sqlite(SqlitePools),
    Postgres(PgPool),
}

/// SQLite has one writer at a time: each of the two writing pools is one connection, and they wait for each other inside SQLite.
pub(crate) struct SqlitePools {
    /// `synchronous = FULL`.
    pub(crate) durable: SqlitePool,
    /// `synchronous = NORMAL`.
    pub(crate) quick: SqlitePool,
    pub(crate) readers: SqlitePool,
}

/// What a power cut may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that was committed.
    Durable,
    /// The last seconds.
    Quick,
}

pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// The calls for one database: `$row` is the variant of [`Row`] that holds its rows.
macro_rules! stamp {
    ($module:ident, $database:ty, $row:path) => {
        mod $module {
            use futures_util::TryStreamExt as _;

            use super::{Row, Value};

            type Query = sqlx::query::Query<'static, $database, <$database as sqlx::Database>::Arguments>;

            fn query(sql: &'static str, values: Vec<Value>) -> Query {
                values.into_iter().fold(sqlx::query(sql), |query, value| match value {
                    Value::Int(value) => query.bind(value),
                    Value::Text(value) => query.bind(value),
                    Value::MaybeInt(value) => query.bind(value),
                    Value::MaybeText(value) => query.bind(value),
                })
            }

            pub(super) async fn read<'c, T: Send>(
                on: impl sqlx::Executor<'c, Database = $database>,
                sql: &'static str,
                values: Vec<Value>,
                mut of: impl FnMut(Row) -> sqlx::Result<T> + Send,
            ) -> sqlx::Result<Vec<T>> {
                let mut rows = query(sql, values).fetch(on);
                let mut read = Vec::new();
                while let Some(row) = rows.try_next().await? {
                    read.push(of($row(row))?);
                }
                Ok(read)
            }

            pub(super) async fn execute<'c>(
                on: impl sqlx::Executor<'c, Database = $database>,
                sql: &'static str,
                values: Vec<Value>,
            ) -> sqlx::Result<u64> {
                Ok(query(sql, values).execute(on).await?.rows_affected())
            }
        }
    };
}

stamp!(sqlite, sqlx::Sqlite, Row::Sqlite);
stamp!(postgres, sqlx::Postgres, Row::Postgres);

impl Pools {
    /// Reads outside a transaction, row by row: what a row takes in memory is gone before the next.
    pub(crate) async fn read<T: Send>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        of: impl FnMut(Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        match self {
            Self::Sqlite(pools) => sqlite::read(&pools.readers, sql, values, of).await,
            Self::Postgres(pool) => postgres::read(pool, sql, values, of).await,
        }
    }

    /// Begins to write. SQLite takes its lock at once (`IMMEDIATE`): a transaction that read first could not get it any more
    /// after another's commit.
    pub(crate) async fn begin(&self, durability: Durability) -> sqlx::Result<Transaction> {
        match (self, durability) {
            (Self::Sqlite(pools), Durability::Durable) => {
                pools.durable.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite)
            }
            (Self::Sqlite(pools), Durability::Quick) => {
                pools.quick.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite)
            }
            (Self::Postgres(pool), Durability::Durable) => pool.begin().await.map(Transaction::Postgres),
            (Self::Postgres(pool), Durability::Quick) => {
                let mut transaction = pool.begin().await?;
                postgres::execute(&mut *transaction, "SET LOCAL synchronous_commit TO OFF", vec![]).await?;
                Ok(Transaction::Postgres(transaction))
            }
        }
    }

    /// The writers last: SQLite then tidies up its write-ahead log.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pools) => {
                pools.readers.close().await;
                pools.quick.close().await;
                pools.durable.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Dropped without [`Transaction::commit`], it never was.
impl Transaction {
    pub(crate) async fn rows(&mut self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Sqlite(transaction) => sqlite::read(&mut **transaction, sql, values, Ok).await,
            Self::Postgres(transaction) => postgres::read(&mut **transaction, sql, values, Ok).await,
        }
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<u64> {
        match self {
            Self::Sqlite(transaction) => sqlite::execute(&mut **transaction, sql, values).await,
            Self::Postgres(transaction) => postgres::execute(&mut **transaction, sql, values).await,
        }
    }

    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}

macro_rules! column {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(&self, column: &str) -> sqlx::Result<$type> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
        }
    };
}

impl Row {
    column!(int, i64);
    column!(raw, String);
    column!(maybe_int, Option<i64>);
    column!(maybe_raw, Option<String>);

    /// A text to be shown: what an older Medic or another program wrote is cleaned here.
    pub(crate) fn text(&self, column: &str) -> sqlx::Result<String> {
        self.raw(column).map(|raw| text::seen(&raw).into_owned())
    }

    /// One that may be absent.
    pub(crate) fn maybe_text(&self, column: &str) -> sqlx::Result<Option<String>> {
        Ok(self.maybe_raw(column)?.map(|raw| text::seen(&raw).into_owned()))
    }

    /// A whole number in the type it has in `engine`.
    pub(crate) fn number<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
        &self,
        column: &str,
    ) -> sqlx::Result<T> {
        self.int(column)?.try_into().map_err(unreadable(column))
    }

    /// A name that was checked when it was made.
    pub(crate) fn name<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &self,
        column: &str,
    ) -> sqlx::Result<T> {
        self.text(column)?.parse().map_err(unreadable(column))
    }

    /// The column `node`. Another program may have written a name that no machine has.
    pub(crate) fn node(&self) -> sqlx::Result<NodeName> {
        Ok(NodeName::of_hostname(&self.raw("node")?))
    }

    /// The columns `node`, `app` and `instance`.
    pub(crate) fn place(&self) -> sqlx::Result<Place> {
        Ok(Place { node: self.node()?, app: self.name("app")?, instance: self.number("instance")? })
    }

    /// A word of an enum, written by [`word`].
    pub(crate) fn word<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T> {
        serde_json::from_value(self.text(column)?.into()).map_err(unreadable(column))
    }

    /// What [`json`] wrote.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T> {
        serde_json::from_str(&self.raw(column)?).map_err(unreadable(column))
    }

    /// What [`tagged`] wrote into `column` and the one for its fields.
    pub(crate) fn tagged<T: DeserializeOwned>(
        &self,
        tag: &str,
        column: &str,
        fields: &str,
    ) -> sqlx::Result<T> {
        let mut object: serde_json::Map<_, _> = self.json(fields)?;
        object.insert(tag.to_owned(), self.text(column)?.into());
        serde_json::from_value(object.into()).map_err(unreadable(column))
    }
}

pub(crate) fn unreadable<E: std::error::Error + Send + Sync + 'static>(
    column: &str,
) -> impl FnOnce(E) -> sqlx::Error {
    move |source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}

/// The word that stands for an enum's variant.
pub(crate) fn word(value: impl Serialize) -> sqlx::Result<Value> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(Value::Text(word)),
        Ok(_) => Err(sqlx::Error::Encode("a variant with fields is no word".into())),
        Err(error) => Err(sqlx::Error::Encode(error.into())),
    }
}

/// An enum of variants with fields that `serde` names under `tag`: the variant's word, and its fields as JSON.
pub(crate) fn tagged(tag: &str, value: impl Serialize) -> sqlx::Result<[Value; 2]> {
    let object = serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(error.into()))?;
    if let serde_json::Value::Object(mut fields) = object
        && let Some(serde_json::Value::String(word)) = fields.remove(tag)
    {
        return Ok([Value::Text(word), json(fields)?]);
    }
    Err(sqlx::Error::Encode(format!("a variant has no `{tag}`").into()))
}

/// Any value as JSON.
pub(crate) fn json(value: impl Serialize) -> sqlx::Result<Value> {
    serde_json::to_string(&value).map(Value::Text).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A count, up to the largest that the databases can hold.
pub(crate) fn count(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<model::Timestamp> for Value {
    fn from(value: model::Timestamp) -> Self {
        Self::Int(value.as_ms())
    }
}

impl From<&NodeName> for Value {
    fn from(value: &NodeName) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<&AppName> for Value {
    fn from(value: &AppName) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
