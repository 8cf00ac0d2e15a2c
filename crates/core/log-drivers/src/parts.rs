//! Long lines come as several records: which of them are one line's, and how far a log counts as sent while one of its
//! lines is still coming. An agent that goes on reading there then numbers the line's parts as the one before it did.

/// Bytes of a line that has no end yet beyond which it is not held for its end: what was sent of it has then been sent.
pub const MAX_HELD: u64 = 256 * 1024;

/// One record of a line that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The same for the parts of one line.
    pub line: u64,
    /// From 1.
    pub ordinal: u32,
    pub last: bool,
}

struct Begun<P> {
    at: P,
    line: u64,
    ordinal: u32,
    bytes: u64,
}

/// Follows the lines of a log's two streams. `P` is a place in the log; a later place is greater.
pub struct Parts<P> {
    begun: [Option<Begun<P>>; 2],
}

impl<P> Default for Parts<P> {
    fn default() -> Self {
        Self { begun: [None, None] }
    }
}

impl<P: Copy + Ord> Parts<P> {
    /// Takes the record that stands from `from` to `to`, of which `line` is a number that only this place has. Returns
    /// which part it is, none for a whole line, and the place that is safe once everything up to it has been sent.
    pub fn push(
        &mut self,
        stderr: bool,
        partial: bool,
        bytes: u64,
        from: P,
        to: P,
        line: u64,
    ) -> (Option<Part>, P) {
        let slot = &mut self.begun[usize::from(stderr)];
        let part = match slot.take() {
            None if !partial => None,
            begun => {
                let mut begun = begun.unwrap_or(Begun {
                    at: from,
                    line,
                    ordinal: 0,
                    bytes: 0,
                });
                begun.ordinal += 1;
                begun.bytes += bytes;
                let part = Part {
                    line: begun.line,
                    ordinal: begun.ordinal,
                    last: !partial,
                };
                if begun.bytes > MAX_HELD {
                    begun.at = to;
                }
                if partial {
                    *slot = Some(begun);
                } else if let Some(other) = &mut self.begun[usize::from(!stderr)] {
                    // Going on at the other line's beginning would be in the midst of this one.
                    other.at = other.at.min(begun.at);
                }
                Some(part)
            }
        };
        let held = self.begun.iter().flatten().map(|begun| begun.at).min();
        (part, held.map_or(to, |held| held.min(to)))
    }
}
