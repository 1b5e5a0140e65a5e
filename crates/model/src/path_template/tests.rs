use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::path_template::learner::PLACES_LIMIT;

/// A learner that has seen each of these so many times, in turn.
fn learner(traffic: &[(&str, usize)]) -> PathLearner {
    let mut learner = PathLearner::default();
    let most = traffic.iter().map(|(_, times)| *times).max().unwrap_or(0);
    for turn in 0..most {
        for (path, _) in traffic.iter().filter(|(_, times)| turn < *times) {
            learner.learn(&PathCandidate::of(path));
        }
    }
    learner
}

fn said(learner: &PathLearner, path: &str) -> String {
    learner.template(&PathCandidate::of(path))
}

/// Words as ids are made: the same in each run.
fn tokens(letters: &str, length: usize) -> impl Iterator<Item = String> {
    let letters = letters.as_bytes().to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
            })
            .collect()
    })
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const BASE36: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[test]
fn what_is_no_word_is_hidden_whatever_its_count() {
    let cases = [
        ("/", "/"),
        ("", ""),
        ("*", ""),
        ("/orders", "/orders"),
        ("/orders/4711", "/orders/*"),
        ("/orders/4711/items?key=secret#top", "/orders/*/items"),
        ("/api/v2/products", "/api/v2/products"),
        ("/static/app.js", "/static/app.js"),
        ("/mails/ada@example.org/read", "/mails/*/read"),
        ("/mails/ada%40example.org", "/mails/*"),
        ("/x/5f0c2a9e-1d7b-4c55-9a35-0a7a5a1f4b3c", "/x/*"),
        ("/x/deadbeef99", "/x/*"),
        ("/ip/192.168.1.20", "/ip/*"),
        ("/login/eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "/login/*"),
        ("/login/averyveryverylongopaquewordwithoutanydigits", "/login/*"),
        ("/login/kxqzvbnwjh", "/login/*"),
        ("/login/x7gh2kq", "/login/*"),
        ("/login/aBcXyQzR", "/login/*"),
        ("/tel/+4917012345", "/tel/*"),
        ("/posts/my-night-with-jane-doe", "/posts/*"),
        ("/categories/availability-and-performance", "/categories/availability-and-performance"),
        ("/getUserById/FrontPage/API/OAuth2/2fa/b2b", "/getUserById/FrontPage/API/OAuth2/2fa/b2b"),
        ("/graphql/healthz/wp-admin/xmlrpc.php", "/graphql/healthz/wp-admin/xmlrpc.php"),
        ("/a;jsessionid=77AB", "/a"),
        ("/robots933456.txt", "/*"),
        ("/naïve", "/*"),
        ("/a\u{202e}b", "/*"),
        ("//x", "//x"),
        ("/x/", "/x/"),
        ("/.env", "/*"),
        ("/users/jane", "/users/*"),
        ("/Users/jane/orders", "/Users/*/orders"),
        ("/reset/butterfly", "/reset/*"),
        ("/~jane/photos", "/*/*"),
    ];
    for (path, kept) in cases {
        assert_eq!(PathCandidate::of(path).0, kept, "{path}");
    }
}

#[test]
fn a_candidate_is_bounded_and_says_nothing_by_itself() {
    assert!(PathCandidate::of(&"/word".repeat(1_000)).0.len() <= LENGTH_LIMIT + 2);
    assert!(PathCandidate::of(&format!("/{}", "x".repeat(100_000))).0.len() < 10);
    assert!(PathCandidate::of(&"/abcdefghijklmnopqrstuvwxyzabc".repeat(50)).0.len() <= LENGTH_LIMIT + 2);
    let cut = format!("/{}/{}/word", "x".repeat(160), "y".repeat(344));
    assert_eq!(PathCandidate::of(&cut).0, "/*/*");
    assert_eq!(format!("{:?}", PathCandidate::of("/secret")), "PathCandidate");
}

#[test]
fn nothing_is_said_before_it_is_learnt() {
    let learner = learner(&[("/cart/checkout", 19)]);
    assert_eq!(said(&learner, "/cart/checkout"), "/*/*");
    assert_eq!(said(&learner, "/"), "/");
    assert_eq!(said(&learner, ""), "/");
    assert_eq!(said(&learner, "/cart/"), "/*/");
}

#[test]
fn what_is_asked_for_often_is_learnt() {
    assert_eq!(said(&learner(&[("/cart/checkout", 100)]), "/cart/checkout"), "/cart/checkout");
    let five = "/api/shop/cart/items/summary";
    assert_eq!(said(&learner(&[(five, 100)]), five), five);
    let site = learner(&[
        ("/", 500),
        ("/cart", 90),
        ("/cart/checkout", 40),
        ("/about", 30),
        ("/static/app.js", 200),
    ]);
    for path in ["/", "/cart", "/cart/checkout", "/about", "/static/app.js"] {
        assert_eq!(said(&site, path), path);
    }
    assert_eq!(said(&site, "/cart/checkout/4711"), "/cart/checkout/*");
    assert_eq!(said(&site, "/cart/secret"), "/cart/*");
    assert_eq!(said(&site, "/cart/secret/checkout"), "/cart/*/*", "behind another word it is not learnt");
}

#[test]
fn a_name_is_not_said_and_what_stands_behind_all_names_is() {
    let mut learner = PathLearner::default();
    let names: Vec<_> = tokens("aeinorst", 6).take(3_000).collect();
    for (turn, name) in names.iter().enumerate() {
        for path in [
            format!("/users/{name}/orders"),
            format!("/shops/{name}/orders/{turn}"),
            "/users/jane-doe".to_owned(),
            "/users/jane-doe/orders".to_owned(),
            "/cart/checkout".to_owned(),
        ] {
            learner.learn(&PathCandidate::of(&path));
        }
        if turn % 20 == 0 {
            learner.learn(&PathCandidate::of("/shops/jane-doe/orders"));
        }
    }
    for (path, expected) in [
        ("/users/jane-doe", "/users/*"),
        ("/users/jane-doe/orders", "/users/*/orders"),
        ("/shops/jane-doe/orders", "/shops/*/orders"),
        ("/shops/jane-doe/orders/17", "/shops/*/orders/*"),
        ("/cart/checkout", "/cart/checkout"),
    ] {
        assert_eq!(said(&learner, path), expected);
    }
    assert!(names.iter().all(|name| said(&learner, &format!("/shops/{name}")) == "/shops/*"));
}

#[test]
fn a_word_is_learnt_beside_numbers() {
    let mut learner = PathLearner::default();
    for number in 0..2_000 {
        learner.learn(&PathCandidate::of(&format!("/orders/{number}")));
        if number % 20 == 0 {
            learner.learn(&PathCandidate::of("/orders/search"));
        }
    }
    assert_eq!(said(&learner, "/orders/search"), "/orders/search");
    assert_eq!(said(&learner, "/orders/77"), "/orders/*");
}

#[test]
fn a_place_with_many_words_that_are_seen_often_is_one_of_names() {
    let mut learner = PathLearner::default();
    let names: Vec<_> = tokens("aeinorst", 6).take(WORDS_LIMIT + 1).collect();
    for (turn, name) in names.iter().enumerate() {
        let path = format!("/t/{name}/inbox");
        (0..60).for_each(|_| learner.learn(&PathCandidate::of(&path)));
        let expected = if turn < WORDS_LIMIT { path.as_str() } else { "/t/*/inbox" };
        assert_eq!(said(&learner, &path), expected, "{turn}");
    }
    assert!(names.iter().all(|name| said(&learner, &format!("/t/{name}")) == "/t/*"));
    let before = learner.size().0;
    assert!(before < 10, "what stood behind them was given up: {before} places");
    (0..60).for_each(|_| learner.learn(&PathCandidate::of("/t/someone/inbox")));
    assert_eq!(said(&learner, "/t/someone/inbox"), "/t/*/inbox");
}

#[test]
fn the_few_frequent_of_many_names_are_not_learnt() {
    // the n-th most frequent user asks an n-th as often as the first
    let names: Vec<_> = tokens("aeinorst", 7).take(1_000).collect();
    let shares: Vec<f64> = (1..=1_000).map(|rank| 1.0 / f64::from(rank)).collect();
    let mut learner = PathLearner::default();
    for drawn in tokens("0123456789", 9).take(30_000) {
        let mut left = drawn.parse::<f64>().unwrap() / 1e9 * shares.iter().sum::<f64>();
        let rank = shares.iter().take_while(|share| {
            left -= **share;
            left > 0.0
        });
        let name = &names[rank.count().min(999)];
        learner.learn(&PathCandidate::of(&format!("/rooms/{name}")));
    }
    let told: Vec<_> =
        names.iter().filter(|name| said(&learner, &format!("/rooms/{name}")) != "/rooms/*").collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn ids_are_never_said() {
    for letters in [LOWER, BASE36, BASE62] {
        let mut learner = learner(&[("/items/list", 100)]);
        let ids: Vec<_> = tokens(letters, 11).take(10_000).collect();
        for id in &ids {
            (0..3).for_each(|_| learner.learn(&PathCandidate::of(&format!("/items/{id}"))));
        }
        assert!(ids.iter().all(|id| said(&learner, &format!("/items/{id}")) == "/items/*"), "{letters}");
        assert_eq!(said(&learner, "/items/list"), "/items/list");
        // and few could be, even if one client asked for nothing else
        let words = ids.iter().filter(|id| segment::may_be_a_word(id)).count();
        assert!(words < if letters == LOWER { 700 } else { 200 }, "{words} of {} with {letters}", ids.len());
    }
}

#[test]
fn a_million_different_paths_change_nothing() {
    let mut learner = learner(&[("/cart/checkout", 100), ("/users/jane/orders", 100), ("/", 100)]);
    let (places, _) = learner.size();
    let mut words = tokens("aeiou", 9).zip(tokens(BASE36, 8));
    for turn in 0..250_000_u32 {
        let (name, token) = words.next().unwrap();
        for path in [
            format!("/{name}"),
            format!("/cart/{name}/{token}"),
            format!("/{token}/{name}/{turn}"),
            format!("/users/{name}/{name}"),
        ] {
            learner.learn(&PathCandidate::of(&path));
        }
    }
    assert_eq!(said(&learner, "/cart/checkout"), "/cart/checkout");
    assert_eq!(said(&learner, "/users/jane/orders"), "/users/*/orders");
    let (after, names) = learner.size();
    assert!(after < places + 10, "{after} places");
    assert!(names < 10 * 64, "{names} names");
}

/// A path of few and of many words, ids among them.
fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => "[a-d]{1,2}",
        2 => "[a-z]{3,9}",
        1 => "[A-Za-z0-9]{11}",
        1 => "[ -~]{0,12}",
        1 => Just("users".to_owned()),
    ];
    prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_asked_for_it_is_bounded_and_says_only_what_was_asked_for_often(
        paths in prop::collection::vec(any_path(), 1..200),
        repeats in 1_usize..30,
    ) {
        let mut learner = PathLearner::default();
        for _ in 0..repeats {
            for path in &paths {
                learner.learn(&PathCandidate::of(path));
            }
        }
        let (places, names) = learner.size();
        prop_assert!(places <= PLACES_LIMIT && names <= (PLACES_LIMIT + 1) * 64);
        let candidates: Vec<_> = paths.iter().map(|path| PathCandidate::of(path)).collect();
        let asked_for: BTreeSet<&str> = candidates.iter().flat_map(PathCandidate::segments).collect();
        for (path, candidate) in paths.iter().zip(&candidates) {
            let template = learner.template(candidate);
            prop_assert!(template.len() <= LENGTH_LIMIT + 2 && !template.contains(['?', '@', '%']));
            prop_assert_eq!(learner.template(&PathCandidate(template.clone())), template.clone());
            for (said, kept) in template.split('/').zip(candidate.0.split('/')) {
                let is_known = said.is_empty() || asked_for.contains(said);
                prop_assert!(said == "*" || (said == kept && is_known), "{} of {}", template, path);
            }
            if repeats * paths.len() < 20 {
                prop_assert!(template.split('/').all(|said| said.is_empty() || said == "*"), "{}", template);
            }
        }
    }

    #[test]
    fn no_digit_run_and_no_query_survives(path in "/[ -~]{0,80}") {
        let candidate = PathCandidate::of(&path);
        let mut learner = PathLearner::default();
        (0..300).for_each(|_| learner.learn(&candidate));
        let template = learner.template(&candidate);
        prop_assert!(!template.contains('?') && !template.contains('@'));
        prop_assert!(!template.split('/').any(|s| s.bytes().filter(u8::is_ascii_digit).count() > 2));
    }
}
