//! Layers compressed with zstd, in pure Rust: a C compiler's worth of build for one decoder is too much. A stream is
//! any number of frames, some to be skipped (`zstd:chunked` keeps its table of contents in one); what a frame may
//! keep in memory is bounded by the decoder, which refuses windows above 100 MiB.

use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// First bytes of a frame.
pub(crate) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame without content.
const EMPTY: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];

/// Reads what a stream of frames contains.
pub(crate) struct Zstd<R> {
    source: Peeked<R>,
    decoder: FrameDecoder,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a frame; true for the first, which must be there.
    Between(bool),
    Inside,
    Ended,
}

/// A reader of which one byte may have been read ahead.
struct Peeked<R> {
    first: Option<u8>,
    reader: R,
}

impl<R: Read> Zstd<R> {
    pub(crate) fn new(reader: R) -> io::Result<Self> {
        let mut decoder = FrameDecoder::new();
        // A decoder holds the windows of all frames but its first against its bound, so the first is this one.
        decoder.reset(EMPTY).map_err(damaged)?;
        Ok(Self {
            source: Peeked { first: None, reader },
            decoder,
            state: State::Between(true),
        })
    }

    /// Begins the next frame that has content.
    fn begin(&mut self, first: bool) -> io::Result<State> {
        if !self.source.peek()? {
            return match first {
                true => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no zstd frame")),
                false => Ok(State::Ended),
            };
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => Ok(State::Inside),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                match skipped == length {
                    true => Ok(State::Between(first)),
                    false => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "a zstd frame is cut",
                    )),
                }
            }
            Err(error) => Err(damaged(error)),
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Ended => return Ok(0),
                State::Between(first) => self.state = self.begin(first)?,
                State::Inside => {
                    while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                        let missing = buffer.len() - self.decoder.can_collect();
                        self.decoder
                            .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBytes(missing))
                            .map_err(damaged)?;
                    }
                    let got = self.decoder.read(buffer)?;
                    if got > 0 {
                        return Ok(got);
                    }
                    self.state = State::Between(false);
                }
            }
        }
    }
}

impl<R: Read> Peeked<R> {
    /// Whether there is anything left.
    fn peek(&mut self) -> io::Result<bool> {
        while self.first.is_none() {
            let mut byte = [0];
            match self.reader.read(&mut byte) {
                Ok(0) => return Ok(false),
                Ok(_) => self.first = Some(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.first {
            Some(first) if !buffer.is_empty() => {
                self.first = None;
                buffer[0] = first;
                Ok(1)
            }
            _ => self.reader.read(buffer),
        }
    }
}

fn damaged(error: FrameDecoderError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("corrupt zstd stream: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::Zstd;

    fn frame(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    /// A frame that decoders pass over.
    fn skippable(content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("short").to_le_bytes();
        [&[0x50, 0x2a, 0x4d, 0x18], length.as_slice(), content].concat()
    }

    fn read(stream: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let outcome = Zstd::new(stream).expect("a decoder").read_to_end(&mut out);
        outcome.map(|_| out).map_err(|error| error.to_string())
    }

    #[test]
    fn frames_are_read_one_after_the_other() {
        let long: Vec<u8> = (0..700_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let empty = frame(b"");
        for (stream, expected) in [
            (frame(b"one"), b"one".to_vec()),
            ([frame(b"one"), frame(b" two")].concat(), b"one two".to_vec()),
            (
                [skippable(b"table"), frame(b"x"), skippable(b"")].concat(),
                b"x".to_vec(),
            ),
            ([empty.clone(), frame(b"x"), empty].concat(), b"x".to_vec()),
            (frame(&long), long.clone()),
        ] {
            assert_eq!(read(&stream).as_deref(), Ok(expected.as_slice()));
        }
    }

    #[test]
    fn what_is_no_stream_is_an_error() {
        let whole = frame(&b"content ".repeat(1000));
        let beyond = {
            // Magic, no flags, and a window descriptor of 2 GiB.
            let mut stream = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (21 << 3)];
            stream.extend([1, 0, 0]);
            stream
        };
        // One segment of 2^60 bytes, which would be its window.
        let segment = [
            [0x28, 0xb5, 0x2f, 0xfd, 0xe0].as_slice(),
            &(1_u64 << 60).to_le_bytes(),
            &[1, 0, 0],
        ]
        .concat();
        for (what, stream) in [
            ("a segment of exabytes", segment),
            ("nothing", Vec::new()),
            ("noise", vec![7; 100]),
            ("only skipped", skippable(b"x")),
            ("a cut frame", whole[..whole.len() - 3].to_vec()),
            ("a cut skipped frame", skippable(b"abcdef")[..10].to_vec()),
            ("noise after a frame", [whole, vec![1, 2, 3, 4, 5]].concat()),
            ("a window of gigabytes", beyond),
        ] {
            assert!(read(&stream).is_err(), "{what} was read");
        }
    }
}
