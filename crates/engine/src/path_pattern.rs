//! A request's path without what may be personal or unbounded in it.
//!
//! Paths go into incidents, tables and rules' keys, so the query is cut off and every segment that looks like a number, an id,
//! an address or a token becomes `*`. When in doubt a segment is hidden: a path that says too little can be looked up by its
//! time; one that says too much cannot be taken back.

/// The longest pattern that is kept, in bytes.
pub const LENGTH_LIMIT: usize = 200;

/// Segments beyond this many are cut off and stand as one `*`.
pub const SEGMENT_LIMIT: usize = 12;

/// `/orders/4711/items?key=secret` becomes `/orders/*/items`.
pub fn path_pattern(path: &str) -> String {
    let path = path.split(['?', '#', ';']).next().unwrap_or("");
    // `scheme://host/path`, as a proxy's client may send it
    let path = path
        .find("://")
        .map_or(path, |at| path[at + 3..].find('/').map_or("/", |slash| &path[at + 3 + slash..]));
    let mut pattern = String::new();
    for (index, segment) in path.split('/').skip(1).enumerate() {
        if index == SEGMENT_LIMIT || pattern.len() + segment.len() >= LENGTH_LIMIT {
            pattern.push_str("/*");
            break;
        }
        pattern.push('/');
        pattern.push_str(if is_plain_word(segment) { segment } else { "*" });
    }
    if pattern.is_empty() { "/".to_owned() } else { pattern }
}

/// A word of a route: letters with the punctuation that names have, few digits (`v2`, `oauth2`), not long, not hexadecimal.
fn is_plain_word(segment: &str) -> bool {
    if segment.is_empty() || segment == "*" {
        return true;
    }
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    let only_names = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let hexadecimal =
        digits > 0 && segment.len() >= 6 && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let upper = segment.bytes().filter(u8::is_ascii_uppercase).count();
    // `my-night-with-jane-doe`: titles are without number, and may be about somebody.
    let title = segment.bytes().filter(|b| matches!(b, b'-' | b'_')).count() > 2;
    let mixed_token = segment.len() >= 16 && upper > 2 && digits > 0;
    only_names
        && segment.len() <= 32
        && digits <= 2
        && letters > 0
        && !hexadecimal
        && !mixed_token
        && !title
        && !segment.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_personal_becomes_a_star() {
        let cases = [
            ("/", "/"),
            ("", "/"),
            ("*", "/"),
            ("/orders", "/orders"),
            ("/orders/4711", "/orders/*"),
            ("/orders/4711/items?key=secret#top", "/orders/*/items"),
            ("/api/v2/users", "/api/v2/users"),
            ("/static/app.js", "/static/app.js"),
            ("/users/ada@example.org/mails", "/users/*/mails"),
            ("/users/ada%40example.org", "/users/*"),
            ("/u/5f0c2a9e-1d7b-4c55-9a35-0a7a5a1f4b3c", "/u/*"),
            ("/u/deadbeef99", "/u/*"),
            ("/ip/192.168.1.20", "/ip/*"),
            ("/session/eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "/session/*"),
            ("/reset/averyveryverylongopaquewordwithoutanydigits", "/reset/*"),
            ("/tel/+4917012345", "/tel/*"),
            ("/posts/my-night-with-jane-doe", "/posts/*"),
            ("/categories/availability-and-performance", "/categories/availability-and-performance"),
            ("/a;jsessionid=77AB", "/a"),
            ("http://shop.example/cart/12", "/cart/*"),
            ("/robots933456.txt", "/*"),
            ("/naïve", "/*"),
            ("//x", "//x"),
            ("/x/", "/x/"),
        ];
        for (path, pattern) in cases {
            assert_eq!(path_pattern(path), pattern, "{path}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(path_pattern(&"/word".repeat(1_000)).len() <= LENGTH_LIMIT + 2);
        assert!(path_pattern(&format!("/{}", "x".repeat(100_000))).len() < 10);
        assert!(path_pattern(&"/abcdefghijklmnopqrstuvwxyzabc".repeat(50)).len() <= LENGTH_LIMIT + 2);
    }

    proptest::proptest! {
        #[test]
        fn no_digit_run_and_no_query_survives(path in "/[ -~]{0,80}") {
            let pattern = path_pattern(&path);
            proptest::prop_assert!(!pattern.contains('?') && !pattern.contains('@'));
            proptest::prop_assert!(!pattern.split('/').any(|s| s.bytes().filter(u8::is_ascii_digit).count() > 2));
            proptest::prop_assert_eq!(path_pattern(&pattern), pattern.clone());
        }
    }
}
