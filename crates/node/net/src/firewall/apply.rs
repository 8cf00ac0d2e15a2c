//! Puts a rule set in force in one namespace. Knows what it applied last and sends the difference: a
//! batch of elements straight to the kernel when only elements changed, `nft` otherwise. When the kernel
//! holds something else than we remember (an operator flushed it), the whole is replaced.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rtnetlink::sys::{Socket, protocols::NETLINK_NETFILTER};

use super::TABLE;
use super::element::{ElementChange, SetId};
use super::ruleset::{Change, Present, Ruleset};
use crate::netlink::open_socket;
use crate::netns::Netns;
use crate::{Error, Result};

/// Elements in one netlink batch; more go through `nft`, which splits its buffers itself.
const BATCH_ELEMENTS: usize = 256;

/// The firewall of one namespace.
#[derive(Debug)]
pub(crate) struct Firewall {
    namespace: Netns,
    batches: Batches,
    fresh: bool,
    in_force: Option<Ruleset>,
}

/// How much work an application was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// The rules in force were the wanted ones.
    None,
    /// Only what differs was sent.
    Incremental,
    /// The whole rule set was replaced.
    Full,
}

impl Firewall {
    /// `fresh` says that the namespace is new and holds no table of ours.
    pub(crate) fn open(namespace: &Netns, fresh: bool) -> Result<Self> {
        let batches = Batches::open(namespace)?;
        Ok(Self {
            namespace: namespace.try_clone()?,
            batches,
            fresh,
            in_force: None,
        })
    }

    /// Makes `wanted` the rules in force, or fails and leaves those that were.
    pub(crate) fn apply(&mut self, wanted: Ruleset) -> Result<Transaction> {
        let change = match &self.in_force {
            Some(before) => wanted.change_from(before),
            None => Change::Commands(String::new()),
        };
        let incremental = match (&self.in_force, change) {
            (None, _) => None,
            (Some(_), Change::Nothing) => return Ok(Transaction::None),
            (Some(_), Change::Elements(elements))
                if elements.add.len() + elements.remove.len() > BATCH_ELEMENTS =>
            {
                Some(self.nft(&elements.text()))
            }
            (Some(_), Change::Elements(elements)) => {
                Some(self.batches.send(&elements).map_err(|source| Error::Firewall {
                    namespace: self.namespace.label().to_owned(),
                    detail: source.to_string(),
                }))
            }
            (Some(_), Change::Commands(text)) => Some(self.nft(&text)),
        };
        let done = match incremental {
            Some(Ok(())) => Transaction::Incremental,
            other => {
                if let Some(Err(error)) = other {
                    tracing::warn!(%error, "the firewall is not as it was left; replacing it whole");
                }
                self.in_force = None;
                self.replace(&wanted)?;
                Transaction::Full
            }
        };
        self.in_force = Some(wanted);
        Ok(done)
    }

    /// Forgets what is in force: the next application replaces everything.
    pub(crate) fn forget(&mut self) {
        self.in_force = None;
    }

    /// Replaces everything. Tables of another release, whose base chains hang elsewhere, cannot be filled
    /// anew and are deleted in the same transaction.
    fn replace(&mut self, wanted: &Ruleset) -> Result<()> {
        let present = if self.fresh {
            Present::default()
        } else {
            self.present(wanted)?
        };
        self.fresh = false;
        let filled = self.nft(&wanted.replacement(&present));
        if filled.is_ok() || present.chains.is_empty() {
            return filled;
        }
        let families = wanted.base.keys();
        let deleted: String = families
            .map(|f| format!("add table {f} {TABLE}\ndelete table {f} {TABLE}\n"))
            .collect();
        self.nft(&(deleted + &wanted.replacement(&Present::default())))
    }

    /// What our tables hold in the kernel, by name.
    fn present(&self, wanted: &Ruleset) -> Result<Present> {
        let mut present = Present::default();
        for family in wanted.base.keys() {
            let Some(listed) = list(
                &self.namespace,
                &["-t", "list", "table", &family.to_string(), TABLE],
            )?
            else {
                continue;
            };
            let objects = listed
                .get("nftables")
                .and_then(|o| o.as_array())
                .cloned()
                .unwrap_or_default();
            for object in &objects {
                let name = |word: &str| {
                    object
                        .pointer(&format!("/{word}/name"))?
                        .as_str()
                        .map(str::to_owned)
                };
                present.chains.extend(name("chain").map(|name| (*family, name)));
                for word in ["set", "map"] {
                    present
                        .sets
                        .extend(name(word).map(|name| (SetId::new(*family, name), word.to_owned())));
                }
            }
        }
        Ok(present)
    }

    fn nft(&self, commands: &str) -> Result<()> {
        run_nft(&self.namespace, commands)
    }
}

/// Runs `nft -f -` inside `namespace`: all of `commands` is one transaction.
pub(crate) fn run_nft(namespace: &Netns, commands: &str) -> Result<()> {
    let failed = |detail: String| Error::Firewall {
        namespace: namespace.label().to_owned(),
        detail,
    };
    let output = namespace.run(|| {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take();
        // `nft` reads all of its input before it says anything, so this cannot deadlock.
        let written = stdin
            .as_mut()
            .map_or(Ok(()), |pipe| pipe.write_all(commands.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output()?;
        written.map(|()| output)
    })?;
    let output = output.map_err(|e| failed(format!("running nft: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first: Vec<&str> = said.lines().take(4).collect();
    Err(failed(first.join("; ")))
}

/// What `nft -j` shows for `arguments`; none when there is no such object.
pub(crate) fn list(namespace: &Netns, arguments: &[&str]) -> Result<Option<serde_json::Value>> {
    let failed = |detail: String| Error::Firewall {
        namespace: namespace.label().to_owned(),
        detail,
    };
    let output = namespace.run(|| Command::new("nft").arg("-j").args(arguments).output())?;
    let output = output.map_err(|e| failed(format!("running nft: {e}")))?;
    if !output.status.success() {
        return Ok(None);
    }
    serde_json::from_slice(&output.stdout)
        .map(Some)
        .map_err(|e| failed(format!("reading what nft lists: {e}")))
}

/// Sends element changes without a process.
pub(super) struct Batches {
    socket: Socket,
    sequence: u32,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}

impl Batches {
    pub(super) fn open(namespace: &Netns) -> Result<Self> {
        let label = namespace.label();
        let socket = namespace
            .run(|| open_socket(NETLINK_NETFILTER))?
            .map_err(Error::kernel(format!("opening nfnetlink in {label}")))?;
        Ok(Self { socket, sequence: 1 })
    }

    pub(super) fn send(&mut self, change: &ElementChange) -> std::io::Result<()> {
        let (batch, last) = change.batch(self.sequence);
        let first = self.sequence;
        self.sequence = last.wrapping_add(2);
        self.socket.send(&batch, 0)?;
        // One answer for each failed message, and one for the last if all is well. Bounded by the batch.
        for _ in 0..=2 * BATCH_ELEMENTS {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = &datagram[..];
            while let Some((answer, after)) = next_answer(rest) {
                rest = after;
                let ours = answer.sequence.wrapping_sub(first) <= last.wrapping_sub(first) + 1;
                if ours && answer.code != 0 {
                    return Err(std::io::Error::from_raw_os_error(answer.code));
                }
                if ours && answer.sequence == last {
                    return Ok(());
                }
            }
        }
        Err(std::io::Error::other("the kernel did not acknowledge the batch"))
    }
}

pub(super) struct Answer {
    sequence: u32,
    /// Positive errno, or 0.
    pub(super) code: i32,
}

/// Splits the first netlink error message off `bytes`.
pub(super) fn next_answer(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_ne_bytes)
    };
    let length = (word(0)? as usize).max(16);
    let kind = word(4)? & 0xffff;
    let code = if kind == 2 {
        word(16)?.cast_signed().wrapping_neg()
    } else {
        0
    };
    let sequence = word(8)?;
    Some((
        Answer { sequence, code },
        bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
    ))
}
