//! Documents that were parsed, kept for as long as their record stays as it is: the gate reads them at every call.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use roadstead_policy::{Kind, Policy, parse};
use roadstead_store::{Entry, Key, Revision};

use crate::records::Record;

/// Records whose documents are kept. Beyond it everything is forgotten, and read again as it is needed.
const MOST: usize = 20_000;

/// A record's documents.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// Inline policies by name; of a managed policy its default version.
    pub(crate) own: Vec<(String, Arc<Policy>)>,
    pub(crate) trust: Option<Arc<Policy>>,
}

#[derive(Default)]
pub(crate) struct Cache(RwLock<HashMap<Key, (Revision, Arc<Compiled>)>>);

impl Cache {
    pub(crate) fn of(&self, entry: &Entry<Record>) -> Arc<Compiled> {
        {
            let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((revision, compiled)) = all.get(&entry.key)
                && *revision == entry.revision
            {
                return Arc::clone(compiled);
            }
        }
        let compiled = Arc::new(compile(&entry.value));
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(entry.key.clone(), (entry.revision, Arc::clone(&compiled)));
        compiled
    }
}

fn compile(record: &Record) -> Compiled {
    let mut compiled = Compiled::default();
    if let Some(grants) = record.grants() {
        for (name, document) in &grants.inline {
            compiled.own.push((name.clone(), read(document, Kind::Identity)));
        }
    }
    match record {
        Record::Role(role) => compiled.trust = Some(read(&role.trust, Kind::Trust)),
        Record::Policy(policy) => {
            let document = read(policy.document(), Kind::Identity);
            compiled.own.push((policy.name.clone(), document));
        }
        _ => {}
    }
    compiled
}

/// Documents were checked when they were taken. Should one not be readable any more, nothing is allowed by it and
/// everything denied.
pub(crate) fn read(document: &str, kind: Kind) -> Arc<Policy> {
    match parse(document, kind) {
        Ok(policy) => Arc::new(policy),
        Err(error) => {
            tracing::error!(%error, "a stored policy cannot be read; whoever has it is denied everything");
            deny_all()
        }
    }
}

#[allow(clippy::expect_used)] // a constant document
fn deny_all() -> Arc<Policy> {
    static DENY: OnceLock<Arc<Policy>> = OnceLock::new();
    let document = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Arc::clone(DENY.get_or_init(|| Arc::new(parse(document, Kind::Identity).expect("a policy"))))
}
