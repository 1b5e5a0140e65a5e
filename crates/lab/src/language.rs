//! The same small server in every language that is watched.

use std::path::PathBuf;
use std::process::Command;

use crate::{LabError, compile, on_path, root};

/// A language that the lab has a server in. Each listens on `127.0.0.1:$PORT`, answers `/`, `/orders/{id}`, `/slow?ms=` and
/// `/env`, and crashes by `/crash/{how}`; with `LAB_CRASH={how}` it crashes right after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C.
    C,
    /// C++.
    Cpp,
    /// Python.
    Python,
    /// Node.js.
    Node,
    /// Java.
    Java,
    /// Go.
    Go,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// C# on .NET.
    Dotnet,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::C,
        Self::Cpp,
        Self::Python,
        Self::Node,
        Self::Java,
        Self::Go,
        Self::Ruby,
        Self::Php,
        Self::Dotnet,
    ];

    /// The server's command line; compiles it first where that is needed. Fails with [`LabError::Missing`] where the runtime
    /// is not installed.
    pub fn command_line(self) -> Result<Vec<PathBuf>, LabError> {
        let program = |name: &str| root().join("crates/lab/programs").join(name);
        Ok(match self {
            Self::C => vec![compile("shop.c", &["-g", "-O1", "-fno-optimize-sibling-calls"])?],
            Self::Cpp => vec![compile("shop.cpp", &["-g", "-O1", "-fno-optimize-sibling-calls"])?],
            Self::Python => vec![on_path("python3")?, program("shop.py")],
            Self::Node => vec![on_path("node")?, program("shop.js")],
            Self::Java => {
                vec![
                    on_path("java")?,
                    "-Xmx128m".into(),
                    // Else a JVM that dies leaves its report in whatever folder the test ran in.
                    format!("-XX:ErrorFile={}", root().join("target/lab/hs_err.log").display()).into(),
                    "-cp".into(),
                    compile("Shop.java", &[])?,
                    "Shop".into(),
                ]
            }
            Self::Go => vec![compile("shop.go", &[])?],
            Self::Ruby => vec![on_path("ruby")?, program("shop.rb")],
            Self::Php => vec![on_path("php")?, program("shop.php")],
            Self::Dotnet => {
                let runtime = dotnet()?;
                let assembly = compile("Shop.cs", &[])?.join("Shop.dll");
                let configuration = program("shop.runtimeconfig.json");
                vec![runtime, "exec".into(), "--runtimeconfig".into(), configuration, assembly]
            }
        })
    }

    /// The same as a command to start.
    pub fn command(self) -> Result<Command, LabError> {
        let line = self.command_line()?;
        let (program, arguments) = line.split_first().ok_or(LabError::Missing("a command line"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }
}

/// The .NET runtime: one on the `PATH`, or the one that `cargo xtask test` puts under `target/tools`.
fn dotnet() -> Result<PathBuf, LabError> {
    let own = root().join("target/tools/dotnet/dotnetcore2/bin/dotnet");
    on_path("dotnet").or(if own.is_file() { Ok(own) } else { Err(LabError::Missing("dotnet")) })
}
