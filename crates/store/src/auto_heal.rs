//! Users' own rules, and the states of auto-heal, which outlive a restart of Medic.

use std::collections::BTreeMap;

use model::auto_heal::AutoHealConfig;
use model::change::Change;
use model::{AppName, NodeName, Place};

use crate::settings::{state_of, state_values};
use crate::sql::{Durability, Row, json};
use crate::{Store, StoreError, bounds, changes};

/// The rules whole. A custom action's parameters serialize as `***`: what runs the action must have them, and has them from here.
fn with_parameters(rules: &AutoHealConfig) -> sqlx::Result<serde_json::Value> {
    let mut whole = serde_json::to_value(rules).map_err(|error| sqlx::Error::Encode(error.into()))?;
    if let Some(action) = &rules.rules.actions.custom_action
        && let Some(shown) = whole.pointer_mut("/rules/actions/custom_action/parameters")
    {
        *shown = action.parameters.reveal().into();
    }
    Ok(whole)
}

impl Store {
    /// The rules of an app's user; `None` where none were ever saved.
    pub async fn auto_heal(&self, app: &AppName) -> Result<Option<AutoHealConfig>, StoreError> {
        let sql = "SELECT rules FROM auto_heal WHERE app = $1";
        let rows = self.sql.rows(sql, vec![app.as_str().into()]).await;
        rows.and_then(|rows| rows.first().map(|row| row.json("rules")).transpose())
            .map_err(self.failed("Reading an app's auto-heal rules"))
    }

    /// Puts these in the place of the app's rules, durably. They are not judged here: [`AutoHealConfig::check`] does.
    pub async fn save_auto_heal(&self, app: &AppName, rules: &AutoHealConfig) -> Result<(), StoreError> {
        self.write_auto_heal(app, rules, None).await.map_err(self.failed("Saving an app's auto-heal rules"))
    }

    /// The same, with the record of who changed them.
    pub async fn change_auto_heal(&self, rules: &AutoHealConfig, change: &Change) -> Result<(), StoreError> {
        let written = self.write_auto_heal(&change.app, rules, Some(change)).await;
        written.map_err(self.failed("Saving an app's auto-heal rules"))
    }

    async fn write_auto_heal(
        &self,
        app: &AppName,
        rules: &AutoHealConfig,
        change: Option<&Change>,
    ) -> sqlx::Result<()> {
        let sql = "INSERT INTO auto_heal (app, rules) VALUES ($1, $2) \
                   ON CONFLICT (app) DO UPDATE SET rules = excluded.rules";
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        transaction.execute(sql, vec![app.as_str().into(), json(with_parameters(rules)?)?]).await?;
        if let Some(change) = change {
            transaction.execute(changes::INSERT, changes::values(change)?).await?;
        }
        transaction.commit().await
    }

    /// When the rules of a node's instances last acted, as the JSON that was saved.
    pub async fn auto_heal_states(&self, node: &NodeName) -> Result<BTreeMap<Place, String>, StoreError> {
        let sql = "SELECT node, app, instance, state FROM heal_guard WHERE node = $1";
        let states = self.sql.read(sql, vec![node.into()], state_of).await;
        let states = states.map_err(self.failed("Reading the instances' auto-heal states"))?;
        Ok(states.into_iter().collect())
    }

    /// Saves when the rules of an instance last acted, durably. `json` is not looked into.
    pub async fn save_auto_heal_state(&self, place: &Place, json: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO heal_guard (node, app, instance, state) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (node, app, instance) DO UPDATE SET state = excluded.state";
        let values = state_values(place, json);
        let saved = self.sql.execute(Durability::Durable, sql, values).await;
        saved.map(drop).map_err(self.failed("Saving an instance's auto-heal state"))
    }

    /// How the fuses of a node's apps are, as the JSON that was saved.
    pub async fn fuses(&self, node: &NodeName) -> Result<BTreeMap<AppName, String>, StoreError> {
        let sql = "SELECT app, state FROM fuse WHERE node = $1";
        let fuse = |row: &Row| Ok((row.name("app")?, row.raw("state")?));
        let fuses = self.sql.read(sql, vec![node.into()], fuse).await;
        Ok(fuses.map_err(self.failed("Reading the apps' fuses"))?.into_iter().collect())
    }

    /// Saves how an app's fuse is, durably. `json` is not looked into.
    pub async fn save_fuse(&self, node: &NodeName, app: &AppName, json: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO fuse (node, app, state) VALUES ($1, $2, $3) \
                   ON CONFLICT (node, app) DO UPDATE SET state = excluded.state";
        let values = vec![node.into(), app.into(), bounds::state(json).into()];
        let saved = self.sql.execute(Durability::Durable, sql, values).await;
        saved.map(drop).map_err(self.failed("Saving an app's fuse"))
    }
}
