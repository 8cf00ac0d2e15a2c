//! Documents that were parsed, kept for as long as their record stays as it is, or by their text where no record here
//! has them: the gate reads them at every call.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use roadstead_policy::{Kind, Policy, parse};
use roadstead_store::{Entry, Key, Revision};

use crate::records::Record;

/// Records whose documents are kept. Beyond it everything is forgotten, and read again as it is needed.
const MOST: usize = 20_000;

/// Bytes of the texts that documents without a record are kept by. Beyond it everything is forgotten, too.
const MOST_TEXT: usize = 16 * 1024 * 1024;

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

/// Documents by their text: of resources, whose services keep them, and of sessions, which carry them.
#[derive(Default)]
pub(crate) struct Documents(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    bytes: usize,
    /// By text: one text may be a policy of several kinds.
    of: HashMap<String, Vec<(Kind, Arc<Policy>)>>,
}

impl Documents {
    /// As [`read`], once for each text.
    pub(crate) fn read(&self, text: &str, kind: Kind) -> Arc<Policy> {
        {
            let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut all = kept.of.get(text).into_iter().flatten();
            if let Some((_, policy)) = all.find(|(of, _)| *of == kind) {
                return Arc::clone(policy);
            }
        }
        let policy = read(text, kind);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + text.len() > MOST_TEXT {
            *kept = Kept::default();
        }
        let all = kept.of.entry(text.to_owned()).or_default();
        // Somebody else may have been there first.
        if !all.iter().any(|(of, _)| *of == kind) {
            all.push((kind, Arc::clone(&policy)));
            kept.bytes += text.len();
        }
        policy
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.of.values().map(Vec::len).sum()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_for_each_kind_and_forgotten_when_there_are_too_many() {
        let documents = Documents::default();
        let text = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}}"#;
        let first = documents.read(text, Kind::Resource);
        assert!(Arc::ptr_eq(&first, &documents.read(text, Kind::Resource)));
        assert!(!Arc::ptr_eq(&first, &documents.read(text, Kind::Trust)));
        assert_eq!(documents.count(), 2);
        let long = |index: usize| format!("{text}{}", " ".repeat(MOST_TEXT / 4 + index));
        for index in 0..4 {
            documents.read(&long(index), Kind::Resource);
            assert!(documents.0.read().expect("no panic").bytes <= MOST_TEXT);
        }
        let again = documents.read(text, Kind::Resource);
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(again, first);
    }
}
