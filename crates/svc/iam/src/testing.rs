//! A service over a store in memory, and whoever calls it.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_store::{Embedded, Store};

use crate::service::Iam;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const ACCOUNT: &str = "123456789012";

pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) iam: Arc<Iam>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let store: Arc<dyn Store> =
            Arc::new(Embedded::in_memory(roadstead_store::Options::default()).expect("a store"));
        let clock = Arc::new(ManualClock::at(NOW));
        let iam = Iam::new(Arc::clone(&store), clock.clone(), [9; 32])
            .await
            .expect("a service");
        Self { store, clock, iam }
    }

    /// The service started anew on the same store.
    pub(crate) async fn restart(&mut self) {
        self.iam = Iam::new(Arc::clone(&self.store), self.clock.clone(), [9; 32])
            .await
            .expect("a service");
    }

    pub(crate) fn ctx(&self, caller: Caller) -> Ctx {
        Ctx {
            account: ACCOUNT.parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
            caller,
            request_id: "request".into(),
            pager: Arc::new(Pager::new([7; 32])),
            endpoint: String::new(),
            origin: Arc::default(),
        }
    }

    pub(crate) fn root(&self) -> Ctx {
        self.ctx(Caller::Root)
    }
}

pub(crate) fn fails<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "{error:?}, not {code}: {words}"
    );
}
