//! What an instance wrote last, for whoever may read it.

use app::{ConsoleError, WorkerOutput};
use model::AppName;
use tokio::task::spawn_blocking;

use super::LiveConsole;
use crate::worker_output::{self, LastLines};

impl LiveConsole {
    pub(super) async fn output_of(
        &self,
        app: &AppName,
        instance: u16,
    ) -> Result<Option<WorkerOutput>, ConsoleError> {
        let snapshot = self.snapshot();
        let status = snapshot.app(app).ok_or_else(|| ConsoleError::NoSuchApp(app.clone()))?;
        if !status.instances.iter().any(|known| known.index == instance) {
            return Ok(None);
        }
        let folder = worker_output::log_folder(&self.data_dir, app).join("application");
        let shown = folder.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| {
            ConsoleError::Unreadable(format!("Cannot read the log files in {shown}: {error}."))
        };
        match spawn_blocking(move || worker_output::last_lines(&folder, instance)).await {
            Ok(Ok(LastLines { file, lines })) => {
                let file = file.map(|file| file.display().to_string());
                Ok(Some(WorkerOutput { file, lines }))
            }
            Ok(Err(error)) => Err(unreadable(&error)),
            Err(stopping) => Err(unreadable(&stopping)),
        }
    }
}
