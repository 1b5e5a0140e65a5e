//! Which answers are streams by what their head says: those whose pauses say nothing about the worker, because it sends when
//! there is something to tell.

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};

/// Media types of streams of messages. gRPC's have endings of their own, as `application/grpc-web+proto`.
const TYPES: [&str; 9] = [
    "text/event-stream",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
    "application/json-seq",
    "application/stream+json",
    "multipart/x-mixed-replace",
    "application/grpc",
];

/// Whether an answer with these headers is one. One that says its length is not: its end is known.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_LENGTH) {
        return false;
    }
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    TYPES.contains(&media_type.as_str())
        || ["application/grpc+", "application/grpc-web"].iter().any(|start| media_type.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_tells_unless_there_is_a_length() {
        let headers = |media_type: &str| HeaderMap::from_iter([(CONTENT_TYPE, media_type.parse().unwrap())]);
        for media_type in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web-text+proto",
            "application/x-ndjson ; x=y",
            "multipart/x-mixed-replace;boundary=frame",
        ] {
            assert!(is_event_stream(&headers(media_type)), "{media_type}");
        }
        for media_type in
            ["text/html", "application/json", "application/grpcx", "text/event-streams", "", "video/mp4"]
        {
            assert!(!is_event_stream(&headers(media_type)), "{media_type}");
        }
        let mut with_length = headers("text/event-stream");
        with_length.insert(CONTENT_LENGTH, "12".parse().unwrap());
        assert!(!is_event_stream(&with_length));
        assert!(!is_event_stream(&HeaderMap::new()));
    }
}
