//! Reading the lines of a stream, from either end.

use roadstead_volume::Pair;

use crate::error::Result;
use crate::lines::{Line, Lines, Place, broken, line_key};

impl Lines {
    /// The lines of a stream from one place up to another, this one left out; from the end if `backward`.
    pub(crate) fn read(
        &self,
        group: u64,
        stream: u64,
        from: Place,
        to: Place,
        backward: bool,
    ) -> Box<dyn Iterator<Item = Result<Line>> + Send> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        let range = line_key(group, stream, from)..line_key(group, stream, to);
        let pairs = self.lines.range(range);
        let line = |pair: roadstead_volume::Result<Pair>| line(pair?);
        if backward {
            Box::new(pairs.rev().map(line))
        } else {
            Box::new(pairs.map(line))
        }
    }
}

fn line((key, value): Pair) -> Result<Line> {
    let part = |from: usize| -> Result<[u8; 8]> {
        let bytes = key.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| broken("the key of a line"))
    };
    let (ingested, message) = value.split_at_checked(8).ok_or_else(|| broken("a line"))?;
    Ok(Line {
        time: i64::from_be_bytes(part(16)?) ^ i64::MIN,
        number: u64::from_be_bytes(part(24)?),
        ingested: i64::from_be_bytes(ingested.try_into().map_err(|_| broken("a line"))?),
        message: String::from_utf8(message.to_vec()).map_err(|_| broken("the text of a line"))?,
    })
}
