//! Texts without the folders that they name: those tell what machines, customers and people are called.

/// Whether a path begins at the root of a file system or of a site, in whichever system's way.
fn is_absolute(path: &str) -> bool {
    let mut letters = path.chars();
    let drive = (letters.next().is_some_and(|letter| letter.is_ascii_alphabetic()), letters.as_str());
    path.starts_with(['/', '\\', '~'])
        || path.contains("://")
        || (drive.0 && (drive.1.starts_with(":\\") || drive.1.starts_with(":/")))
}

/// A file's name without the folders above it; of a relative path all of it, since that is within the code.
pub(super) fn file(path: &str) -> String {
    if !is_absolute(path) {
        return without_paths(path);
    }
    let name = path.rsplit(['/', '\\']).find(|part| !part.is_empty());
    name.unwrap_or_default().to_owned()
}

/// A text in which each absolute path is only its last part: in function names (PHP's closures, node's evaluated code) and in what a
/// library said.
pub(super) fn without_paths(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        if begins_path(&letters, at) {
            let end = letters.iter().skip(at).position(|letter| ends_path(*letter));
            let path = letters.get(at..end.map_or(letters.len(), |length| at + length)).unwrap_or_default();
            let name = path.iter().rposition(|letter| is_separator(*letter)).map_or(0, |last| last + 1);
            let name = path.get(name..).unwrap_or_default();
            if name.is_empty() {
                kept.push('…');
            }
            kept.extend(name);
            at += path.len();
        } else {
            kept.extend(letters.get(at));
            at += 1;
        }
    }
    kept
}

const fn is_separator(letter: char) -> bool {
    matches!(letter, '/' | '\\')
}

/// What is no part of a path wherever one is quoted. A blank is one: folders have them in their names.
const fn ends_path(letter: char) -> bool {
    matches!(
        letter,
        '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '\'' | '`' | '|' | ',' | ';' | ':' | '?' | '\n'
    )
}

/// A separator that nothing stands before which could be a part of a relative path, a quotient or an operator.
fn begins_path(letters: &[char], at: usize) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| letters.get(at)).copied();
    let (before, next) = (letter(at.checked_sub(1)), letter(at.checked_add(1)));
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let is_named = next.is_some_and(|next| is_word(next) || matches!(next, '.' | '~' | '@' | '/' | '\\'));
    match letter(Some(at)) {
        Some('/') => {
            is_named
                && before.is_none_or(|before| !is_word(before) && !matches!(before, '.' | ')' | ']' | '*'))
        }
        // PHP's names have it between their parts, and before the first
        Some('\\') => {
            let is_drive = before == Some(':')
                && letter(at.checked_sub(2)).is_some_and(|drive| drive.is_ascii_alphabetic())
                && letter(at.checked_sub(3)).is_none_or(|before| !is_word(before));
            is_drive || (next == Some('\\') && before.is_none_or(|before| !is_word(before)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_absolute_path_the_files_name_is_left() {
        for (path, left) in [
            ("/srv/kunde/app/src/cart.rs", "cart.rs"),
            ("C:\\Users\\jane\\app\\Cart.cs", "Cart.cs"),
            ("C:/Users/jane/Cart.cs", "Cart.cs"),
            ("\\\\server\\jane\\Cart.cs", "Cart.cs"),
            ("file:///srv/kunde/cart.mjs", "cart.mjs"),
            ("webpack://kunde/./cart.js", "cart.js"),
            ("~/kunde/cart.py", "cart.py"),
            ("src/cart.rs", "src/cart.rs"),
            ("../lib/cart.rb", "../lib/cart.rb"),
            ("node:internal/process/task_queues", "node:internal/process/task_queues"),
            ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
            ("/", ""),
            ("", ""),
        ] {
            assert_eq!(file(path), left, "{path}");
        }
    }

    #[test]
    fn a_text_names_no_folder_from_the_root_on() {
        for (text, left) in [
            ("{closure:/srv/kunde/app/index.php:12}", "{closure:index.php:12}"),
            ("include('/srv/der kunde/x.php')", "include('x.php')"),
            ("eval (file:///srv/kunde/x.mjs:3:5)", "eval (file:x.mjs:3:5)"),
            ("Failed to open C:\\Users\\jane\\x.dll", "Failed to open C:x.dll"),
            ("load \\\\server\\kunde\\x.dll", "load x.dll"),
            ("at=/srv/kunde/", "at=…"),
            ("Start at price_of (src/cart.rs:33), now", "Start at price_of (src/cart.rs:33), now"),
            ("App\\Service\\Cart->total | \\App\\Main", "App\\Service\\Cart->total | \\App\\Main"),
            ("operator/(A, B) | a / b | 1/2 | node-1/0", "operator/(A, B) | a / b | 1/2 | node-1/0"),
            ("logfiles/crashdumps in the app's data folder", "logfiles/crashdumps in the app's data folder"),
        ] {
            assert_eq!(without_paths(text), left, "{text}");
        }
    }
}
