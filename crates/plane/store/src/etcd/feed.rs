//! One watch of all that happens, as etcd delivers it, put back together into one commit for each revision.
//! Because it covers every key, each revision shows in it: where it stands is known from what came, and nobody
//! depends on etcd's progress notices (which before 3.4.25 and 3.5.8 could run ahead of the events).

use std::time::Duration;

use tokio::time::timeout;

use crate::api::{Event, Revision};
use crate::engine::Commit;
use crate::etcd::base::Base;
use crate::etcd::client::Client;
use crate::etcd::grpc::{self, Answer, Connection, Fault};
use crate::etcd::message::{self, Heard};

/// Why a feed ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// History through this revision is gone, and with it what was to come next.
    Compacted(Revision),
    /// Another feed from where this one ended loses nothing.
    Broken(String),
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Ended::Broken(fault.to_string())
    }
}

/// How long a member may take to begin a feed.
const BEGIN: Duration = Duration::from_secs(3);

pub(super) struct Feed {
    answer: Answer,
    pub(super) connection: Connection,
    base: Base,
    /// The first revision that is wanted.
    from: Revision,
    /// Events of a revision of which more may follow.
    partial: Vec<(u64, Option<Event>)>,
}

impl Feed {
    /// All commits from a revision on, that one included.
    pub(super) async fn open(connection: Connection, base: Base, from: Revision) -> Result<Self, Ended> {
        // One earlier than wanted: etcd begins a watch at the revision it compacted last, where deletes are
        // gone already, but refuses one before it.
        let request = message::watch(base.theirs(from).saturating_sub(1).max(1));
        let begun = timeout(BEGIN, connection.stream(grpc::WATCH, &request)).await;
        let answer = begun.unwrap_or_else(|_| Err(Fault::Lost("the member does not answer".into())))?;
        Ok(Self {
            answer,
            connection,
            base,
            from,
            partial: Vec::new(),
        })
    }

    /// As `open`, over a connection of its own: a reader that stops reading holds up nobody else.
    pub(super) async fn apart(client: &Client, base: Base, from: Revision) -> Result<Self, Ended> {
        Self::open(client.open().await?, base, from).await
    }

    /// Waits for the next commits, in order and each whole; may be none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Vec<Commit>, Ended> {
        let Some(message) = self.answer.next().await? else {
            return Err(Ended::Broken("etcd ended the watch".into()));
        };
        let heard =
            message::watch_response(message, &self.base).map_err(|error| Ended::Broken(error.to_string()))?;
        self.take(heard)
    }

    fn take(&mut self, heard: Heard) -> Result<Vec<Commit>, Ended> {
        if heard.compacted > 0 {
            return Err(Ended::Compacted(self.base.ours(heard.compacted)));
        }
        if heard.canceled {
            return Err(Ended::Broken(format!(
                "etcd canceled the watch: {}",
                heard.reason
            )));
        }
        self.partial.extend(heard.events);
        if heard.fragment {
            return Ok(Vec::new());
        }
        Ok(self.assemble())
    }

    fn assemble(&mut self) -> Vec<Commit> {
        let mut commits = Vec::new();
        let mut events = std::mem::take(&mut self.partial).into_iter().peekable();
        while let Some((theirs, _)) = events.peek() {
            let (theirs, mut of_one) = (*theirs, Vec::new());
            while let Some((_, event)) = events.next_if(|(revision, _)| *revision == theirs) {
                of_one.extend(event);
            }
            let revision = self.base.ours(theirs);
            if revision >= self.from {
                self.from = revision.next();
                commits.push(Commit {
                    revision,
                    events: of_one.into(),
                });
            }
        }
        commits
    }
}
