//! The site's files: built by `cargo xtask site`, embedded in a release binary, read from the folder in a debug one.
//!
//! What is in `/pkg` carries a hash of its content in its name, so a browser may keep it for good. The others are asked for each
//! time and answered 304 by the file's hash. Where a `.br` lies beside a file it is sent to whom takes it. (tower-http's `ServeDir`
//! serves folders, and in a release there is none.)

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../target/site"]
#[allow_missing = true]
struct Site;

/// The folder of the scripts and the style, below the site's root.
pub(super) const PACKAGE_FOLDER: &str = "pkg";
/// The name of the site's files where none carries a hash, as `cargo leptos` builds them. leptos reads the same from
/// `LEPTOS_OUTPUT_NAME` while it is compiled.
const PLAIN_NAME: &str = "medic";

/// The name that the files of this build have before their endings, such as `medic-0123456789abcdef`.
pub(super) fn output_name() -> String {
    let hashed = Site::iter().find_map(|file| {
        let name = file.strip_prefix(PACKAGE_FOLDER)?.strip_prefix('/')?.strip_suffix(".css")?;
        is_hashed(name).then(|| name.to_owned())
    });
    hashed.unwrap_or_else(|| PLAIN_NAME.to_owned())
}

fn is_hashed(name: &str) -> bool {
    let hash = name.strip_prefix(PLAIN_NAME).and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// How long a browser may keep it.
fn cache_control(name: &str) -> &'static str {
    let stem = name.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
    if is_hashed(stem) { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// The file at that path, or `None` where there is none.
pub(super) fn answer(path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
    let name = path.strip_prefix('/').filter(|name| !name.is_empty())?;
    let content_type = content_type(name)?;
    let compressed = takes_brotli(asked).then(|| Site::get(&format!("{name}.br"))).flatten();
    let encoding = compressed.is_some().then_some("br");
    let file = compressed.or_else(|| Site::get(name))?;
    Some(send(file, (content_type, cache_control(name)), encoding, asked))
}

fn send(
    file: EmbeddedFile,
    (content_type, cache_control): (&'static str, &'static str),
    encoding: Option<&'static str>,
    asked: &HeaderMap,
) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let tag = tag(&file);
    let is_known =
        asked.get_all(header::IF_NONE_MATCH).iter().any(|known| known.as_bytes() == tag.as_bytes());
    headers.insert(header::ETAG, tag);
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.data.into_owned()).into_response()
}

/// The first half of the content's SHA-256: long enough that two contents never share it.
fn tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let half = hash.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
    HeaderValue::from_str(&format!("\"{half:032x}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What a browser must be told; `None` for what the site has no business to serve.
fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn takes_brotli(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING);
    values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("br")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding))])
    }

    #[test]
    fn brotli_is_sent_to_whom_takes_it() {
        for takes in ["br", "gzip, deflate, br, zstd", "gzip;q=0.5, BR;q=0.1"] {
            assert!(takes_brotli(&asked(takes)), "{takes}");
        }
        for refuses in ["", "gzip", "br;q=0", "brotli"] {
            assert!(!takes_brotli(&asked(refuses)), "{refuses}");
        }
    }

    #[test]
    fn what_carries_its_hash_is_kept_for_good() {
        assert!(cache_control("pkg/medic-0123456789abcdef.wasm").contains("immutable"));
        for name in ["favicon.svg", "pkg/medic.js", "pkg/medic-beta.js"] {
            assert_eq!(cache_control(name), "no-cache", "{name}");
        }
    }

    #[test]
    fn only_the_sites_own_kinds_of_files_are_served() {
        for path in
            ["/", "/apps/shop", "/pkg/../../Cargo.toml", "/../../Cargo.lock", "/pkg/medic.d.ts", "/none.css"]
        {
            assert!(answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let metadata = rust_embed::Metadata::__rust_embed_new([7; 32], None, None);
        let file = || EmbeddedFile { data: b"body {}".as_slice().into(), metadata: metadata.clone() };
        let first = send(file(), ("text/css", "no-cache"), None, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        let again = send(
            file(),
            ("text/css", "no-cache"),
            None,
            &HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]),
        );
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
