//! A drawing of plotters in fewer characters: it writes an element for each rectangle, of which a day of ten instances has a
//! thousand, and says of everything that it is opaque.

use std::fmt::Write as _;

/// The same picture. Rectangles that follow one another become one path a colour, since no drawing of ours has one that covers
/// another's.
pub(super) fn condensed(svg: &str) -> String {
    let mut drawn = String::with_capacity(svg.len() / 4);
    let mut paths: Vec<(&str, String)> = Vec::new();
    for line in svg.lines() {
        if let Some((fill, [x, y, width, height])) = rectangle(line) {
            let at = paths.iter().position(|(of, _)| *of == fill).unwrap_or_else(|| {
                paths.push((fill, String::new()));
                paths.len() - 1
            });
            let _infallible = write!(paths[at].1, "M{x} {y}h{width}v{height}h-{width}z");
        } else {
            write_paths(&mut drawn, &mut paths);
            drawn.push_str(&line.replace(" opacity=\"1\"", ""));
            drawn.push('\n');
        }
    }
    write_paths(&mut drawn, &mut paths);
    drawn
}

fn write_paths(drawn: &mut String, paths: &mut Vec<(&str, String)>) {
    for (fill, path) in paths.drain(..) {
        let _infallible = writeln!(drawn, "<path d=\"{path}\" fill=\"{fill}\"/>");
    }
}

/// The colour and x, y, width, height of an opaque, filled one.
fn rectangle(line: &str) -> Option<(&str, [&str; 4])> {
    let attributes = line.strip_prefix("<rect ")?.strip_suffix("/>")?;
    let is_plain = attributes.contains("opacity=\"1\"") && attributes.contains("stroke=\"none\"");
    let value = |name: &str| {
        let (_, rest) = attributes.split_once(name)?;
        rest.strip_prefix("=\"")?.split_once('"').map(|(value, _)| value)
    };
    let sides = [value("x")?, value("y")?, value("width")?, value("height")?];
    is_plain.then_some((value("fill")?, sides))
}

#[cfg(test)]
mod tests {
    use super::condensed;

    #[test]
    fn rectangles_become_a_path_a_colour_and_all_else_stays_in_its_place() {
        let rect = |x: u32, fill: &str| {
            format!(
                "<rect x=\"{x}\" y=\"2\" width=\"3\" height=\"4\" opacity=\"1\" fill=\"{fill}\" stroke=\"none\"/>\n"
            )
        };
        let line =
            "<polyline fill=\"none\" opacity=\"1\" points=\"1,2 3,4 \"/>\n<text x=\"1\">\n08:15\n</text>\n";
        let half =
            "<rect x=\"1\" y=\"1\" width=\"1\" height=\"1\" opacity=\"0.5\" fill=\"#1\" stroke=\"none\"/>\n";
        let svg =
            [rect(1, "#1"), rect(5, "#2"), rect(9, "#1"), line.to_owned(), rect(1, "#1"), half.to_owned()];
        assert_eq!(
            condensed(&svg.concat()),
            format!(
                "<path d=\"M1 2h3v4h-3zM9 2h3v4h-3z\" fill=\"#1\"/>\n<path d=\"M5 2h3v4h-3z\" fill=\"#2\"/>\n{}\
                 <path d=\"M1 2h3v4h-3z\" fill=\"#1\"/>\n{half}",
                line.replace(" opacity=\"1\"", "")
            )
        );
    }
}
