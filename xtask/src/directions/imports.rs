//! What the modules of a crate import of one another, as far as it can be read without the compiler: paths that begin with
//! `crate`, `super` or `self`, and names that a module passes on from another. Tests may import what they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module → those that it imports.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// A module or a name by its way from the crate's root, which has none.
type Way = Vec<String>;

/// What one crate's source files say.
pub(super) struct Modules {
    known: BTreeSet<Way>,
    /// What each module names, in whatever other one.
    named: Vec<(Way, Way)>,
    /// Where a name comes from that a module has from elsewhere.
    passed_on: BTreeMap<Way, Way>,
}

impl Modules {
    /// Of the crate whose source files are there.
    pub(super) fn read(source: &Path) -> Self {
        Self::of(
            source_files(source).into_iter().map(|file| (way(source, &file), product_code(&file))).collect(),
        )
    }

    fn of(files: Vec<(Way, String)>) -> Self {
        let whole = |way: &Way| (0..=way.len()).map(|length| way[..length].to_vec()).collect::<Vec<_>>();
        let mut all = Self {
            known: files.iter().flat_map(|(module, _)| whole(module)).collect(),
            named: Vec::new(),
            passed_on: BTreeMap::new(),
        };
        for (module, code) in files {
            for (start, base) in relative_paths(&code, &module) {
                let mut named = Vec::new();
                tree(&code[start..], &base, &mut |way, _| named.push(way));
                all.named.extend(named.into_iter().map(|way| (module.clone(), way)));
            }
            for path in code.split("use ").skip(1) {
                let Some((start, base)) = start_of_use(path, &module, &all.known) else { continue };
                tree(&path[start..], &base, &mut |way, alias| {
                    let name = [&*module, &[alias.to_owned()]].concat();
                    if way != name {
                        all.passed_on.insert(name, way);
                    }
                });
            }
        }
        all
    }

    /// Those that have modules in them.
    pub(super) fn parents(&self) -> BTreeSet<&[String]> {
        self.known.iter().filter_map(|module| Some(module.split_last()?.1)).collect()
    }

    /// The modules right below this one, and what each of them, or what is below it, imports of the others.
    pub(super) fn below(&self, parent: &[String]) -> Imports {
        let child = |way: &Way| way.strip_prefix(parent).and_then(|rest| rest.first()).cloned();
        let mut imports: Imports =
            self.known.iter().filter_map(child).map(|name| (name, BTreeSet::new())).collect();
        for (module, way) in &self.named {
            let (Some(from), Some(to)) = (child(module), child(&self.resolved(way.clone()))) else {
                continue;
            };
            if from != to && imports.contains_key(&to) {
                imports.entry(from).or_default().insert(to);
            }
        }
        imports
    }

    /// The way to where a name is defined.
    fn resolved(&self, mut way: Way) -> Way {
        const PASSED_ON_AT_MOST: usize = 5;
        for _ in 0..PASSED_ON_AT_MOST {
            let known = (1..=way.len()).find(|length| !self.known.contains(&way[..*length])).unwrap_or(0);
            let Some(from) = self.passed_on.get(&way[..known]) else { break };
            way = [&**from, &way[known..]].concat();
        }
        way
    }
}

/// The way to the module that is in this file.
fn way(source: &Path, file: &Path) -> Way {
    let below = file.strip_prefix(source).expect("it lies below").with_extension("");
    let mut way: Way = below.iter().map(|part| part.to_str().expect("a name").to_owned()).collect();
    if way.last().is_some_and(|name| ["mod", "lib", "main"].contains(&&**name)) {
        way.pop();
    }
    way
}

/// Every source file below this folder that is no test's.
pub(super) fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(source_files(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}

/// A file's code without comments, and without the tests at its end.
pub(super) fn product_code(file: &Path) -> String {
    without_tests(&fs::read_to_string(file).expect("a source file"))
}

fn without_tests(text: &str) -> String {
    without_comments(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default())
}

fn without_comments(text: &str) -> String {
    // `://` stands in addresses
    let code = |line: &str| {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
        line[..comment.unwrap_or(line.len())].to_owned()
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Where paths begin in the code whose first word says where from: what follows that word, and the module that it means.
fn relative_paths(code: &str, module: &[String]) -> Vec<(usize, Way)> {
    let mut found = Vec::new();
    for word in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(word) {
            let is_first =
                !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
            if is_first && let Some(begin) = start(&code[at..], module) {
                found.push((at + begin.0, begin.1));
            }
        }
    }
    found
}

/// Behind the words that say where a path begins, and the module that they mean.
fn start(path: &str, module: &[String]) -> Option<(usize, Way)> {
    let mut rest = path;
    let mut base = if path.starts_with("crate::") { &[] } else { module };
    for word in ["crate::", "self::"] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    while let Some(above) = rest.strip_prefix("super::") {
        (rest, base) = (above, base.split_last()?.1);
    }
    let length = path.len() - rest.len();
    (length > 0).then(|| (length, base.to_vec()))
}

/// The same for what follows `use`, where a path may begin with a module below this one, too.
fn start_of_use(path: &str, module: &[String], modules: &BTreeSet<Way>) -> Option<(usize, Way)> {
    let below = || {
        let first = [module, &[word(path).to_owned()]].concat();
        modules.contains(&first).then(|| (0, module.to_vec()))
    };
    start(path, module).or_else(below)
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Every way in a path, or in the braces at its end, and what its end is called from there on. Gives what follows it.
fn tree<'t>(text: &'t str, base: &[String], found: &mut impl FnMut(Way, &str)) -> &'t str {
    if let Some(mut list) = text.strip_prefix('{') {
        loop {
            list = list.trim_start_matches([' ', '\n', ',']);
            if list.is_empty() || list.starts_with('}') {
                return list.get(1..).unwrap_or_default();
            }
            let rest = tree(list, base, found);
            list = if rest.len() == list.len() { list.get(1..).unwrap_or_default() } else { rest };
        }
    }
    let name = word(text);
    let rest = &text[name.len()..];
    if let (false, Some(below)) = (name.is_empty(), rest.strip_prefix("::")) {
        return tree(below, &[base, &[name.to_owned()]].concat(), found);
    }
    let (alias, rest) = match rest.strip_prefix(" as ") {
        Some(renamed) => (word(renamed), &renamed[word(renamed).len()..]),
        None => (name, rest),
    };
    if name.is_empty() || name == "self" {
        // all of it, or itself
        found(base.to_vec(), base.last().map_or("", String::as_str));
    } else {
        found([base, &[name.to_owned()]].concat(), alias);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Modules {
        let read = |(name, code): &(&str, &str)| (way(Path::new(""), Path::new(name)), without_tests(code));
        Modules::of(files.iter().map(read).collect())
    }

    fn imports(pairs: &[(&str, &[&str])]) -> Imports {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        pairs.iter().map(|(name, list)| ((*name).to_owned(), names(list))).collect()
    }

    #[test]
    fn paths_braces_and_names_that_are_passed_on_lead_to_their_modules() {
        let read = crate_of(&[
            ("lib.rs", "pub mod a;\npub use b::{Deep as Renamed, Other};"),
            ("a.rs", "use crate::{c::{self, D}, Renamed};\n// crate::e\nfn f() { crate::d::g() }"),
            ("b/mod.rs", "mod inner;\nmod outer;\npub use inner::Deep;"),
            ("b/inner.rs", "use super::super::c::X;\nuse super::outer;"),
            ("b/outer.rs", "use crate::std::e;"),
            ("c.rs", ""),
            ("d.rs", "#[cfg(test)]\nmod tests {\n    use crate::a;\n}"),
            ("e.rs", ""),
        ]);
        let top = read.below(&[]);
        assert_eq!(
            top,
            imports(&[("a", &["b", "c", "d"]), ("b", &["c"]), ("c", &[]), ("d", &[]), ("e", &[])])
        );
        assert_eq!(read.below(&["b".to_owned()]), imports(&[("inner", &["outer"]), ("outer", &[])]));
        assert_eq!(read.parents(), BTreeSet::from([&[][..], &["b".to_owned()]]));
    }
}
