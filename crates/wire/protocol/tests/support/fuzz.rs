//! Deterministic fuzzing: a corpus is replayed and mutated, the same way in every run, within bounds of rounds and
//! of time. `ROADSTEAD_FUZZ_SECONDS` lets each target run for longer, each time another way. An input that makes
//! a parser panic is written below `target/fuzz`; kept in the corpus, it is replayed for ever.
//!
//! Coverage-guided fuzzing by libFuzzer wants a nightly compiler (`-Z sanitizer`), which the project's build does
//! without; the seeds are valid messages instead, so that mutations begin deep inside the parsers.

#![allow(dead_code)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROUNDS: usize = 4000;
const PATIENCE: Duration = Duration::from_secs(4);
const MAX_INPUT: usize = 64 * 1024;
/// Bytes at which parsers decide.
const BYTES: &[u8] = b"\0\x01\x1f\x20\"%&'+,-./0:;<=>?@A[\\]_a{|}~\x7f\x80\xbf\xc0\xe2\xf4\xff";
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1e999",
    "2147483648",
    "9223372036854775808",
    "18446744073709551616",
    "NaN",
    "0x10",
    "ffffffffffffffff",
];

/// Numbers that look random and are the same every time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// A target's inputs.
pub(crate) struct Corpus {
    target: String,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Corpus {
    /// The files of a folder, in the order of their names.
    pub(crate) fn read(folder: &Path) -> Self {
        let target = folder
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a folder")
            .to_owned();
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        let seeds: Vec<Vec<u8>> = files
            .iter()
            .map(|path| std::fs::read(path).expect("readable"))
            .collect();
        assert!(!seeds.is_empty(), "{} has no seeds", folder.display());
        Self {
            target,
            seeds,
            words: Vec::new(),
        }
    }

    /// Further seeds, as from the protocols' vectors.
    pub(crate) fn with(mut self, seeds: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.seeds.extend(seeds);
        self
    }

    /// What the format is made of.
    pub(crate) fn words(mut self, words: &[&str]) -> Self {
        self.words
            .extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// Feeds every seed, then what becomes of them; how many inputs that were.
    pub(crate) fn feed(&self, mut feed: impl FnMut(&[u8])) -> usize {
        let asked = std::env::var("ROADSTEAD_FUZZ_SECONDS")
            .ok()
            .and_then(|text| text.parse().ok());
        let (rounds, patience, seed) = match asked {
            Some(seconds) => (
                usize::MAX,
                Duration::from_secs(seconds),
                std::process::id().into(),
            ),
            None => (ROUNDS, PATIENCE, 1),
        };
        let name: u64 = self
            .target
            .bytes()
            .fold(seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut chance = Chance::new(name.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut one = |input: &[u8]| {
            let shown = Shown {
                target: &self.target,
                input,
            };
            feed(input);
            drop(shown);
        };
        self.seeds.iter().for_each(|seed| one(seed));
        let (from, mut count) = (Instant::now(), self.seeds.len());
        for _ in 0..rounds {
            if from.elapsed() > patience {
                break;
            }
            one(&self.mutated(&mut chance));
            count += 1;
        }
        count
    }

    fn mutated(&self, chance: &mut Chance) -> Vec<u8> {
        let mut input = self.seeds[chance.below(self.seeds.len())].clone();
        for _ in 0..=chance.below(6) {
            let at = chance.below(input.len() + 1);
            let end = (at + 1 + chance.below(16)).min(input.len());
            match chance.below(10) {
                0 if !input.is_empty() => {
                    let at = at.min(input.len() - 1);
                    input[at] ^= 1 << chance.below(8);
                }
                1 if !input.is_empty() => {
                    let at = at.min(input.len() - 1);
                    input[at] = BYTES[chance.below(BYTES.len())];
                }
                2 => input.insert(at, BYTES[chance.below(BYTES.len())]),
                3 => drop(input.drain(at.min(end)..end)),
                4 => input.truncate(at),
                5 => {
                    let piece = input[at.min(end)..end].to_vec();
                    let copies = 1 + chance.below(200);
                    input.splice(at..at, piece.repeat(copies));
                }
                6 => {
                    let other = &self.seeds[chance.below(self.seeds.len())];
                    let from = chance.below(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                7 => {
                    let number = chance.pick(NUMBERS).as_bytes();
                    input.splice(at.min(end)..end, number.iter().copied());
                }
                _ if !self.words.is_empty() => {
                    let word = self.words[chance.below(self.words.len())].clone();
                    input.splice(at..at, word);
                }
                _ => input.push(BYTES[chance.below(BYTES.len())]),
            }
            input.truncate(MAX_INPUT);
        }
        input
    }
}

/// Tells of the input that is being fed, should its parser panic.
struct Shown<'a> {
    target: &'a str,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/fuzz");
        let hash = self
            .input
            .iter()
            .fold(5381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(*byte));
        let path = folder.join(format!("{}-{hash:016x}", self.target));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, self.input));
        eprintln!("the input is in {}: {written:?}", path.display());
    }
}
