//! Whether one segment of a path could be the app's own word. What is refused here is hidden however often it is asked for: one
//! client that polls `/sessions/eyJhbGciOi` a thousand times makes no page of it.

/// Longer segments are no words of a route.
const WORD_LIMIT: usize = 32;

/// A run of letters as long as this has to look like language.
const LANGUAGE_FROM: usize = 8;

/// What stands behind one of these names a person, or lets somebody in.
const FOLLOWED_BY_A_NAME: [&str; 39] = [
    "accounts",
    "authors",
    "clients",
    "confirm",
    "contacts",
    "customers",
    "emails",
    "employees",
    "friends",
    "guests",
    "invitations",
    "invite",
    "invites",
    "keys",
    "magic",
    "mailboxes",
    "members",
    "owners",
    "patients",
    "people",
    "persons",
    "players",
    "profiles",
    "recover",
    "reset",
    "secrets",
    "sessions",
    "share",
    "shared",
    "students",
    "subscribers",
    "teachers",
    "tenants",
    "tickets",
    "tokens",
    "u",
    "unsubscribe",
    "users",
    "verify",
];

/// `users`, `reset`, …: the next segment is hidden.
pub(super) fn is_followed_by_a_name(segment: &str) -> bool {
    FOLLOWED_BY_A_NAME.iter().any(|word| segment.eq_ignore_ascii_case(word)) || segment.starts_with('~')
}

/// A word of a route: letters with the punctuation that names have, few digits (`v2`, `oauth2`), not long, no token.
pub(super) fn may_be_a_word(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    let only_names = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let hexadecimal =
        digits > 0 && segment.len() >= 6 && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // `my-night-with-jane-doe`: titles are without number, and may be about somebody
    let title = segment.bytes().filter(|b| matches!(b, b'-' | b'_')).count() > 2;
    only_names
        && segment.len() <= WORD_LIMIT
        && digits <= 2
        && letters > 0
        && !hexadecimal
        && !title
        && !segment.starts_with('.')
        && segment.split(['-', '_', '.']).all(is_word)
}

/// One part between the punctuation. `pageTitles`, `oauth2`, `API`, `2fa`; not `x7Gh2kQ`, `kxqzvbnw`.
fn is_word(part: &str) -> bool {
    let (name, number) = part.split_at(part.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    if number.is_empty() && name.is_empty() || part.len() <= 3 {
        return true;
    }
    name.bytes().all(|byte| byte.is_ascii_alphabetic()) && has_the_case_of_words(name) && is_language(name)
}

/// Capitals begin words of a few letters each, or all letters are capitals.
fn has_the_case_of_words(name: &str) -> bool {
    let capital = |byte: &u8| byte.is_ascii_uppercase();
    if name.len() <= 6 && name.bytes().all(|byte| capital(&byte)) {
        return true;
    }
    let begun = name.as_bytes().windows(2).filter(|pair| !capital(&pair[0]) && capital(&pair[1])).count() + 1;
    let capitals = name.bytes().filter(|byte| capital(byte)).count();
    begun * 5 <= name.len() * 2 && capitals <= begun + 1
}

/// Letters follow each other as they do in language. Of random letters, one run in twenty passes at 11 and one in a hundred at
/// 16; of the words of eight letters and more in the documentation of some hundred libraries, 29 in 30 do.
fn is_language(name: &str) -> bool {
    name.len() < LANGUAGE_FROM
        || name.as_bytes().windows(2).all(|pair| {
            // a capital begins another word
            pair[1].is_ascii_uppercase() && pair[0].is_ascii_lowercase() || is_common(pair[0], pair[1])
        })
}

fn is_common(first: u8, second: u8) -> bool {
    let row = usize::from(first.to_ascii_lowercase().wrapping_sub(b'a'));
    FOLLOWERS.get(row).is_some_and(|followers| followers.as_bytes().contains(&second.to_ascii_lowercase()))
}

/// For each letter those that follow it within words: the pairs that make up 99 % of all, by a count of about 15,000 words of
/// technical English.
const FOLLOWERS: [&str; 26] = [
    "abcdefghiklmnprstuvwxyz",
    "abcdegijlmnoprstuy",
    "abcdefghiklmnoprstuvy",
    "abcdefgijklmnoprstuvwy",
    "abcdefghijklmnopqrstuvwxyz",
    "acdefgilmnoprstuy",
    "acdefghilmnoprstuy",
    "adeilmnoprstuy",
    "abcdefgiklmnopqrstuvxz",
    "aceiopsu",
    "acdefghilnoprstuw",
    "abcdefgiklmnoprstuvy",
    "abcdefiklmnoprstuy",
    "abcdefghijklmnopqrstuvwyz",
    "abcdefghijklmnoprstuvwxy",
    "abcdefghiklmnoprstuwy",
    "tu",
    "abcdefghiklmnoprstuvwy",
    "abcdefghiklmnopqrstuvwy",
    "abcdefghiklmnoprstuvwxyz",
    "abcdefgilmnoprstxz",
    "acegimop",
    "acdefhilnorst",
    "abcdeilmopstx",
    "abcdefgilmnoprstvw",
    "aeio",
];
