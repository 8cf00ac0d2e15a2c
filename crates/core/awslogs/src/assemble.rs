//! From the records of a container's log to events: records of a long line join, lines of one message join, and what is
//! longer than an event may be is cut. With each event comes a place in the log: everything before it has become
//! events by then, so that a reader who has sent them may begin there next time.

use std::collections::VecDeque;

use crate::options::Start;

/// Bytes of one event: 256 KiB, of which the service counts 26 for the event itself.
pub const MAX_EVENT: usize = 256 * 1024 - 26;
/// Milliseconds that the lines of a message are waited for.
pub const BLOCK_WAIT_MS: i64 = 5_000;

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Of the container's two.
    pub stderr: bool,
    /// The stream's next record goes on with the line.
    pub partial: bool,
    pub bytes: Vec<u8>,
}

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<P> {
    /// Milliseconds since 1970, of its first line.
    pub time: i64,
    /// Never empty.
    pub message: String,
    /// All that stands before this place is in this event, in an earlier one, or is nothing.
    pub safe: P,
}

/// A line, or several, whose end has not come.
struct Begun<P> {
    time: i64,
    at: P,
    text: Vec<u8>,
    /// The beginning of this line is an event already.
    continued: bool,
}

/// Joins records. `P` is a place in the log; a later place is greater.
pub struct Assembler<P> {
    start: Option<Start>,
    lines: [Option<Begun<P>>; 2],
    block: Option<Begun<P>>,
    read: P,
    /// What was safe when events were last taken.
    safe: P,
    ready: VecDeque<(i64, String)>,
}

impl<P: Copy + Ord> Assembler<P> {
    /// `start` finds the lines that begin an event; without it, each does. `at` is where reading begins.
    pub fn new(start: Option<Start>, at: P) -> Self {
        Self {
            start,
            lines: [None, None],
            block: None,
            read: at,
            safe: at,
            ready: VecDeque::new(),
        }
    }

    /// All that stands before this place has become events.
    pub fn safe(&self) -> P {
        let begun = self.lines.iter().flatten().chain(&self.block);
        begun.map(|begun| begun.at).min().unwrap_or(self.read)
    }

    /// Takes the record that stands from `from` to `to`.
    pub fn push(&mut self, line: Line, from: P, to: P) -> Vec<Event<P>> {
        self.read = to;
        let Line {
            time,
            stderr,
            partial,
            bytes,
        } = line;
        let slot = &mut self.lines[usize::from(stderr)];
        let mut begun = slot.take().unwrap_or(Begun {
            time,
            at: from,
            text: Vec::new(),
            continued: false,
        });
        begun.text.extend_from_slice(&bytes);
        // Memory for a line without an end must have one.
        while begun.text.len() > MAX_EVENT {
            let rest = begun.text.split_off(boundary(&begun.text, MAX_EVENT));
            let piece = std::mem::replace(&mut begun.text, rest);
            self.line(begun.time, begun.at, &piece, begun.continued);
            begun.continued = true;
            begun.at = from;
        }
        if partial {
            self.lines[usize::from(stderr)] = Some(begun);
        } else {
            self.line(begun.time, begun.at, &begun.text, begun.continued);
        }
        self.take()
    }

    /// At `now`, a message that has waited long enough for more lines is complete.
    pub fn expire(&mut self, now: i64) -> Vec<Event<P>> {
        if self
            .block
            .as_ref()
            .is_some_and(|block| now - block.time >= BLOCK_WAIT_MS)
        {
            self.close();
        }
        self.take()
    }

    /// No record will come any more.
    pub fn finish(&mut self) -> Vec<Event<P>> {
        for slot in 0..self.lines.len() {
            if let Some(begun) = self.lines[slot].take() {
                self.line(begun.time, begun.at, &begun.text, begun.continued);
            }
        }
        self.close();
        self.take()
    }

    fn line(&mut self, time: i64, at: P, bytes: &[u8], continued: bool) {
        let text = String::from_utf8_lossy(bytes);
        let Some(start) = &self.start else {
            return self.event(time, &text);
        };
        let begins = !continued && start.0.is_match(&text);
        let full = self
            .block
            .as_ref()
            .is_some_and(|block| block.text.len() + 1 + text.len() > MAX_EVENT);
        if begins || full {
            self.close();
        }
        match &mut self.block {
            Some(block) => {
                block.text.push(b'\n');
                block.text.extend_from_slice(text.as_bytes());
            }
            None => {
                self.block = Some(Begun {
                    time,
                    at,
                    text: text.into_owned().into_bytes(),
                    continued: false,
                });
            }
        }
    }

    fn close(&mut self) {
        if let Some(block) = self.block.take() {
            self.event(block.time, &String::from_utf8_lossy(&block.text));
        }
    }

    /// An event, or as many as it takes: what replaces unreadable bytes is longer than they were.
    fn event(&mut self, time: i64, mut text: &str) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(boundary(text.as_bytes(), MAX_EVENT));
            self.ready.push_back((time, piece.to_owned()));
            text = rest;
        }
    }

    fn take(&mut self) -> Vec<Event<P>> {
        // Nothing of what made several events at once is safe before the last of them.
        let (before, safe) = (self.safe, self.safe());
        let last = self.ready.len().saturating_sub(1);
        self.safe = if self.ready.is_empty() { before } else { safe };
        let ready = self.ready.drain(..).enumerate();
        ready
            .map(|(index, (time, message))| Event {
                time,
                message,
                safe: if index == last { safe } else { before },
            })
            .collect()
    }
}

/// The last place at or before `at` where no character is cut.
fn boundary(text: &[u8], at: usize) -> usize {
    if text.len() <= at {
        return text.len();
    }
    // A character has at most three bytes that go on with it.
    let back = (0..4).find(|back| text[at - back] & 0xC0 != 0x80);
    at - back.unwrap_or(0)
}
