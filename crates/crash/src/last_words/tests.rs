use super::{LastWords, read};

/// A real sample, what its report must say.
struct Case {
    sample: &'static str,
    words: Option<(&'static str, &'static str, &'static str)>,
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/stderr/{name}.stderr", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn show() {
    let mut names: Vec<_> =
        std::fs::read_dir(format!("{}/tests/fixtures/stderr", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
    names.sort();
    for p in names {
        let w = read(&std::fs::read(&p).unwrap());
        match w {
            Some(w) => println!(
                "{}: {:?} | {} | {:?} | th={:?} cause={:?} certain={} {} frames: {}",
                p.file_stem().unwrap().to_str().unwrap(),
                w.runtime,
                w.exception_type,
                w.message.map(|m| m.chars().take(50).collect::<String>()),
                w.thread,
                w.cause,
                w.certain,
                w.frames.len(),
                w.frames
                    .iter()
                    .take(4)
                    .map(|f| format!("{} ({})", f.place(), f.source().unwrap_or_default()))
                    .collect::<Vec<_>>()
                    .join(" < ")
            ),
            None => println!("{}: -", p.display()),
        }
    }
}
