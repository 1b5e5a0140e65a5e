//! What an action prints: its log file, and what is kept in it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;

use super::Context;

/// How much of its output is kept.
pub(super) const OUTPUT_LIMIT_BYTES: usize = 1 << 20;

const NAME: (&str, &str) = ("custom-action-", ".log");

fn name(instance: u16) -> String {
    format!("{}{instance}{}", NAME.0, NAME.1)
}

/// Is a file of that name what an action printed?
pub fn is_output(file: &str) -> bool {
    let instance = file.strip_prefix(NAME.0).and_then(|rest| rest.strip_suffix(NAME.1)?.parse().ok());
    instance.is_some_and(|instance| name(instance) == file)
}

/// A new file, so that its mode is its own and a link is not followed.
pub(super) async fn open_log(context: &Context) -> io::Result<File> {
    let (folder, name) = (context.log_folder.clone(), name(context.place.instance));
    let made = {
        let folder = folder.clone();
        move || DirBuilder::new().recursive(true).mode(0o700).create(folder)
    };
    tokio::task::spawn_blocking(made).await.map_err(io::Error::other)??;
    let path = folder.join(name);
    match tokio::fs::remove_file(&path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await
}

/// Keeps the beginning of the output and reads all of it, so that its writer never waits.
pub(super) async fn keep(mut output: Receiver, log: io::Result<File>) -> io::Result<()> {
    let mut log = log;
    let (mut room, mut is_told) = (OUTPUT_LIMIT_BYTES, false);
    let mut chunk = vec![0; 16 << 10];
    while let Ok(length @ 1..) = output.read(&mut chunk).await {
        let Ok(file) = &mut log else { continue };
        let kept = length.min(room);
        room -= kept;
        let written = async {
            file.write_all(&chunk[..kept]).await?;
            if kept < length && !std::mem::replace(&mut is_told, true) {
                file.write_all(b"\n[medic] what follows was not kept: 1 MiB is\n").await?;
            }
            file.flush().await
        };
        if let Err(error) = written.await {
            log = Err(error);
        }
    }
    log.map(drop)
}
