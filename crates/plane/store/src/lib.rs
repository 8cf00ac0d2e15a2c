//! What was acknowledged must be durable, and what changed must be heard of: this crate is the one place where
//! Roadstead's state lives. Above it, services commit to an `Arc<dyn Store>` and never know whether it is
//! memory, a file, or a cluster; beside the bytes there are typed records ([`Table`], [`Transaction`]) and a
//! watch-fed copy in memory ([`Mirror`]) that reconcilers and describe calls read.

pub mod api;
mod disk;
mod engine;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod limits;
mod memory;
mod range;
mod typed;

pub use api::{
    Compare, Event, KeyValue, LeaseId, LeaseStatus, Op, OpResult, RangeRequest, RangeResponse, Relation,
    Revision, Store, Target, Txn, TxnResponse, Watch, WatchBatch,
};
pub use engine::embedded::{Embedded, Options};
pub use engine::lease::{MachineTime, ManualTime, Monotonic};
pub use error::{Error, Result, Source};
#[cfg(feature = "etcd")]
pub use etcd::Etcd;
pub use range::KeyRange;
pub use typed::key::Key;
pub use typed::mirror::{Changed, Changes, Mirror, Snapshot, Told};
pub use typed::table::{Change, Entry, Listing, MAX_PAGE, Page, Table, Updated};
pub use typed::transaction::{Outcome, Transaction};
