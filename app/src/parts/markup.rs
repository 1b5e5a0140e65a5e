//! Text where markup is made by hand: in a drawing, and in the document's title. Everywhere else `view!` escapes what it is given.

/// Between tags, and within an attribute's quotes.
pub(crate) fn text(raw: &str) -> String {
    raw.chars().fold(String::with_capacity(raw.len()), |mut markup, c| {
        match c {
            '&' => markup.push_str("&amp;"),
            '<' => markup.push_str("&lt;"),
            '>' => markup.push_str("&gt;"),
            '"' => markup.push_str("&quot;"),
            '\'' => markup.push_str("&#39;"),
            c => markup.push(c),
        }
        markup
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn no_tag_and_no_attribute_ends_in_a_text() {
        assert_eq!(
            text("</title><a b=\"c\" d='e'>&lt;"),
            "&lt;/title&gt;&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;lt;"
        );
    }
}
