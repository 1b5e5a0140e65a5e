//! Whole lines out of the pieces that a pipe gives.

/// A line longer than this is broken, so that a worker that never ends its line cannot fill the memory.
const LINE_LIMIT_BYTES: usize = 64 << 10;

/// Holds back the beginning of an unfinished line.
#[derive(Default)]
pub(super) struct LineSplitter {
    unfinished: Vec<u8>,
}

impl LineSplitter {
    /// The lines that are whole with this piece, each with its line end.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let whole = piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = piece.split_at(whole);
        let mut out = Vec::new();
        if !lines.is_empty() {
            out = std::mem::take(&mut self.unfinished);
            out.extend_from_slice(lines);
        }
        self.unfinished.extend_from_slice(rest);
        if self.unfinished.len() >= LINE_LIMIT_BYTES {
            out.append(&mut self.unfinished);
            out.push(b'\n');
        }
        out
    }

    /// What never got its line end, with one.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.unfinished);
        if rest.is_empty() {
            return None;
        }
        rest.push(b'\n');
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let text = b"first\n\nsecond line\nunfinished";
        for cut in 1..text.len() {
            let mut splitter = LineSplitter::default();
            let mut out = Vec::new();
            for piece in text.chunks(cut) {
                let whole = splitter.push(piece);
                assert!(whole.is_empty() || whole.ends_with(b"\n"));
                out.extend(whole);
            }
            assert_eq!(out, b"first\n\nsecond line\n");
            assert_eq!(splitter.finish().as_deref(), Some(&b"unfinished\n"[..]));
            assert_eq!(splitter.finish(), None);
        }
    }

    #[test]
    fn an_endless_line_is_broken() {
        let mut splitter = LineSplitter::default();
        let out: usize = (0..100).map(|_| splitter.push(&[b'x'; 4_096]).len()).sum();
        assert!(out > 300_000 && splitter.unfinished.len() < LINE_LIMIT_BYTES);
    }
}
