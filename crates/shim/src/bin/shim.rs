//! The shim and its analyser alone, without a server.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [command, _room] if command == "fork-server" => shim::fork_server_main(),
        [command, run_dir] if command == "shim" => shim::shim_main(Path::new(run_dir)),
        [command] if command == "analyse" => shim::analyser_main(),
        _ => {
            eprintln!("usage: shim fork-server ROOM | shim shim RUN_DIR | shim analyse");
            ExitCode::from(2)
        }
    }
}
