//! Apps' settings, and the states that guard people and so outlive a restart of Medic.

use model::change::Change;
use model::settings::{AppSettings, Setting};
use model::{AppName, NodeName, Place};

use crate::sql::{Durability, Row, Value};
use crate::{Store, StoreError, bounds, changes};

impl Store {
    /// An app's settings; none where none were ever saved.
    pub async fn settings(&self, app: &AppName) -> Result<AppSettings, StoreError> {
        let sql = "SELECT name, value FROM app_setting WHERE app = $1";
        let settings = self.sql.read(sql, vec![app.as_str().into()], setting_of).await;
        let settings = settings.map_err(self.failed("Reading an app's settings"))?;
        Ok(AppSettings(settings.into_iter().flatten().collect()))
    }

    /// Puts these in the place of all of the app's settings, durably.
    pub async fn save_settings(&self, app: &AppName, settings: &AppSettings) -> Result<(), StoreError> {
        self.replace_settings(app, settings, None).await.map_err(self.failed("Saving an app's settings"))
    }

    /// The same, with the record of who changed them.
    pub async fn change_settings(&self, settings: &AppSettings, change: &Change) -> Result<(), StoreError> {
        let replaced = self.replace_settings(&change.app, settings, Some(change)).await;
        replaced.map_err(self.failed("Saving an app's settings"))
    }

    async fn replace_settings(
        &self,
        app: &AppName,
        settings: &AppSettings,
        change: Option<&Change>,
    ) -> sqlx::Result<()> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        transaction.execute("DELETE FROM app_setting WHERE app = $1", vec![app.as_str().into()]).await?;
        for (setting, value) in &settings.0 {
            // two savers may meet
            let sql = "INSERT INTO app_setting (app, name, value) VALUES ($1, $2, $3) \
                       ON CONFLICT (app, name) DO UPDATE SET value = excluded.value";
            let values =
                vec![app.as_str().into(), setting.stored().into(), bounds::text(value, VALUE_LIMIT).into()];
            transaction.execute(sql, values).await?;
        }
        if let Some(change) = change {
            transaction.execute(changes::INSERT, changes::values(change)?).await?;
        }
        transaction.commit().await
    }

    /// The guarding states of a node's instances, as the JSON that was saved.
    pub async fn crash_monitor_states(&self, node: &NodeName) -> Result<Vec<(Place, String)>, StoreError> {
        let sql =
            "SELECT node, app, instance, state FROM instance_state WHERE node = $1 ORDER BY app, instance";
        let states = self.sql.read(sql, vec![node.into()], state_of).await;
        states.map_err(self.failed("Reading the instances' states"))
    }

    /// Saves the guarding state of an instance, durably. `json` is not looked into.
    pub async fn save_crash_monitor_state(&self, place: &Place, json: &str) -> Result<(), StoreError> {
        self.write_state(place, json).await.map_err(self.failed("Saving an instance's state"))
    }

    async fn write_state(&self, place: &Place, json: &str) -> sqlx::Result<()> {
        let sql = "INSERT INTO instance_state (node, app, instance, state) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (node, app, instance) DO UPDATE SET state = excluded.state";
        self.sql.execute(Durability::Durable, sql, state_values(place, json)).await.map(drop)
    }
}

/// In characters here, so that a value of that many bytes always fits.
const VALUE_LIMIT: usize = model::settings::VALUE_LIMIT_BYTES;

/// `None` for one that this Medic does not know.
fn setting_of(row: &Row) -> sqlx::Result<Option<(Setting, String)>> {
    let (name, value) = (row.text("name")?, row.text("value")?);
    Ok(Setting::ALL.into_iter().find(|setting| setting.stored() == name).map(|setting| (setting, value)))
}

pub(crate) fn state_of(row: &Row) -> sqlx::Result<(Place, String)> {
    Ok((row.place()?, row.raw("state")?))
}

/// `node`, `app`, `instance`, `state`.
pub(crate) fn state_values(place: &Place, json: &str) -> Vec<Value> {
    let Place { node, app, instance } = place;
    vec![node.into(), app.into(), i64::from(*instance).into(), bounds::state(json).into()]
}
