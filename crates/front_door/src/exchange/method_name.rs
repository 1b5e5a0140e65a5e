//! What is told of a request's method.

use hyper::Method;

/// A method by its name where it is one that apps have, else `*`: a client can write anything there.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const WEB_DAV: [&str; 12] = [
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "SEARCH",
        "MKCALENDAR",
        "PURGE",
        "QUERY",
    ];
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => WEB_DAV.into_iter().find(|name| *name == method.as_str()).unwrap_or("*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_the_clients_own_is_not_told() {
        for (method, told) in
            [("GET", "GET"), ("PATCH", "PATCH"), ("REPORT", "REPORT"), ("hunter2", "*"), ("`x|$", "*")]
        {
            assert_eq!(method_name(&Method::from_bytes(method.as_bytes()).unwrap()), told);
        }
    }
}
