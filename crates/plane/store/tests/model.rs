//! Random histories against a model that is too simple to be wrong: every past state kept as a whole map.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::Fixture;
use proptest::prelude::*;
use roadstead_store::{
    Compare, Error, Event, KeyRange, KeyValue, LeaseId, Op, OpResult, RangeRequest, Relation, Revision,
    Target, Txn,
};

type State = BTreeMap<String, KeyValue>;

/// All states from revision 1 on, and the leases that live.
struct Model {
    states: Vec<State>,
    compacted: usize,
    leases: Vec<LeaseId>,
}

#[derive(Debug, Clone)]
enum Step {
    Txn {
        compare: Vec<Compare>,
        then: Vec<Action>,
        otherwise: Vec<Action>,
    },
    Read {
        from: u8,
        to: u8,
        back: usize,
        limit: Option<usize>,
    },
    Compact {
        back: usize,
    },
    Grant,
    Revoke {
        which: usize,
    },
    Reopen,
}

#[derive(Debug, Clone)]
enum Action {
    Put {
        key: u8,
        value: u8,
        lease: Option<usize>,
    },
    Delete {
        from: u8,
        to: u8,
    },
    Range {
        from: u8,
        to: u8,
    },
}

fn name(key: u8) -> String {
    format!("k{key}")
}

fn between(from: u8, to: u8) -> KeyRange {
    KeyRange::between(name(from), name(to))
}

impl Model {
    fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    fn head(&self) -> Revision {
        Revision(self.states.len() as u64)
    }

    fn within<'s>(state: &'s State, range: &'s KeyRange) -> impl Iterator<Item = &'s KeyValue> {
        state.values().filter(|kv| range.contains(&kv.key))
    }

    fn holds(&self, compare: &Compare) -> bool {
        let absent = KeyValue {
            key: "".into(),
            value: "".into(),
            create_revision: Revision(0),
            mod_revision: Revision(0),
            version: 0,
            lease: None,
        };
        let found: Vec<&KeyValue> = Self::within(self.now(), &compare.range).collect();
        if found.is_empty() && matches!(compare.target, Target::Value(_)) {
            return false;
        }
        let compared = if found.is_empty() { vec![&absent] } else { found };
        compared.into_iter().all(|kv| {
            let ordering = match &compare.target {
                Target::CreateRevision(wanted) => kv.create_revision.cmp(wanted),
                Target::ModRevision(wanted) => kv.mod_revision.cmp(wanted),
                Target::Version(wanted) => kv.version.cmp(wanted),
                Target::Value(wanted) => kv.value.cmp(wanted),
                Target::Lease(wanted) => kv.lease.cmp(wanted),
            };
            match compare.relation {
                Relation::Equal => ordering.is_eq(),
                Relation::NotEqual => ordering.is_ne(),
                Relation::Less => ordering.is_lt(),
                Relation::Greater => ordering.is_gt(),
            }
        })
    }

    fn ops(&self, actions: &[Action]) -> Vec<Op> {
        let lease = |which: usize| self.leases.get(which % self.leases.len().max(1)).copied();
        let op = |action: &Action| match *action {
            Action::Put {
                key,
                value,
                lease: which,
            } => Op::Put {
                key: name(key).into(),
                value: value.to_string().into(),
                lease: which.and_then(lease),
            },
            Action::Delete { from, to } => Op::Delete {
                range: between(from, to),
            },
            Action::Range { from, to } => Op::Range(RangeRequest::new(between(from, to))),
        };
        actions.iter().map(op).collect()
    }

    /// What the store must answer; the state after it becomes the newest if anything was written.
    fn run(&mut self, ops: &[Op]) -> Vec<OpResult> {
        let revision = self.head().next();
        let (mut state, mut wrote, mut results) = (self.now().clone(), false, Vec::new());
        for op in ops {
            results.push(match op {
                Op::Put { key, value, lease } => {
                    let text = String::from_utf8_lossy(key).into_owned();
                    let previous = state.get(&text).cloned();
                    let kv = KeyValue {
                        key: key.clone(),
                        value: value.clone(),
                        create_revision: previous.as_ref().map_or(revision, |kv| kv.create_revision),
                        mod_revision: revision,
                        version: previous.as_ref().map_or(1, |kv| kv.version + 1),
                        lease: *lease,
                    };
                    state.insert(text, kv);
                    wrote = true;
                    OpResult::Put { previous }
                }
                Op::Delete { range } => {
                    let previous: Vec<KeyValue> = Self::within(&state, range).cloned().collect();
                    state.retain(|_, kv| !range.contains(&kv.key));
                    wrote |= !previous.is_empty();
                    OpResult::Delete { previous }
                }
                Op::Range(request) => {
                    let kvs: Vec<KeyValue> = Self::within(&state, &request.range).cloned().collect();
                    let count = kvs.len();
                    OpResult::Range(roadstead_store::RangeResponse {
                        kvs,
                        more: false,
                        count,
                        revision,
                    })
                }
            });
        }
        if wrote {
            self.states.push(state);
        }
        let revision = self.head();
        for result in &mut results {
            if let OpResult::Range(response) = result {
                response.revision = revision;
            }
        }
        results
    }
}

fn written_twice(ops: &[Op]) -> bool {
    ops.iter().enumerate().any(|(at, op)| {
        let Op::Put { key, .. } = op else { return false };
        ops.iter().enumerate().any(|(other, op)| match op {
            Op::Put { key: same, .. } => other != at && same == key,
            Op::Delete { range } => range.contains(key),
            Op::Range(_) => false,
        })
    })
}

async fn step(f: &mut Fixture, model: &mut Model, step: Step) {
    match step {
        Step::Txn {
            compare,
            then,
            otherwise,
        } => {
            let txn = Txn {
                then: model.ops(&then),
                otherwise: model.ops(&otherwise),
                compare,
            };
            if written_twice(&txn.then) || written_twice(&txn.otherwise) {
                let refused = f.store().commit(txn).await;
                assert!(matches!(refused, Err(Error::DuplicateKey { .. })), "{refused:?}");
                return;
            }
            let succeeded = txn.compare.iter().all(|compare| model.holds(compare));
            let results = model.run(if succeeded { &txn.then } else { &txn.otherwise });
            let response = f.commit(txn).await;
            assert_eq!((response.succeeded, response.revision), (succeeded, model.head()));
            assert_eq!(response.results, results);
        }
        Step::Read {
            from,
            to,
            back,
            limit,
        } => {
            let at = model.states.len().saturating_sub(back).max(1);
            let range = between(from, to);
            let mut request = RangeRequest::new(range.clone()).at(Revision(at as u64));
            request.limit = limit;
            let answer = f.store().range(request).await;
            if at < model.compacted {
                assert!(matches!(answer, Err(Error::Compacted { .. })), "{answer:?}");
                return;
            }
            let answer = answer.unwrap();
            let all: Vec<KeyValue> = Model::within(&model.states[at - 1], &range).cloned().collect();
            let wanted = limit.unwrap_or(all.len()).min(all.len());
            assert_eq!(answer.kvs, all[..wanted]);
            assert_eq!(
                (answer.more, answer.count, answer.revision),
                (wanted < all.len(), wanted, model.head())
            );
        }
        Step::Compact { back } => {
            let at = model.states.len().saturating_sub(back);
            let answer = f.store().compact(Revision(at as u64)).await;
            assert_eq!(answer.is_ok(), at > model.compacted, "{answer:?}");
            model.compacted = model.compacted.max(at);
        }
        Step::Grant => {
            let lease = f.store().lease_grant(Duration::from_secs(60)).await.unwrap();
            assert!(!model.leases.contains(&lease.id));
            model.leases.push(lease.id);
        }
        Step::Revoke { which } => {
            if model.leases.is_empty() {
                return;
            }
            let lease = model.leases.remove(which % model.leases.len());
            let mut state = model.now().clone();
            state.retain(|_, kv| kv.lease != Some(lease));
            if state.len() != model.now().len() {
                model.states.push(state);
            }
            assert_eq!(f.store().lease_revoke(lease).await.unwrap(), model.head());
        }
        Step::Reopen => {
            f.reopen();
        }
    }
}

/// Replays a watch from the oldest revision that is left: each batch must lead from one state to the next.
async fn replay(f: &Fixture, model: &Model) {
    let from = model.compacted.max(1);
    let mut watch = f
        .store()
        .watch(KeyRange::all(), Some(Revision(from as u64 + 1)))
        .await
        .unwrap();
    for at in from..model.states.len() {
        let batch = common::next_events(&mut watch).await;
        assert_eq!(batch.revision, Revision(at as u64 + 1));
        let mut state = model.states[at - 1].clone();
        for event in batch.events {
            let key = String::from_utf8_lossy(event.key()).into_owned();
            let previous = match event {
                Event::Put { current, previous } => {
                    assert_eq!(state.insert(key, current), previous);
                    continue;
                }
                Event::Delete { previous, .. } => previous,
            };
            assert!(previous.is_some());
            assert_eq!(state.remove(&key), previous);
        }
        assert_eq!(state, model.states[at]);
    }
    for (which, lease) in model.leases.iter().enumerate() {
        let keys = model.now().values().filter(|kv| kv.lease == Some(*lease));
        let keys: Vec<_> = keys.map(|kv| kv.key.clone()).collect();
        assert_eq!(f.store().lease_keys(*lease).await.unwrap(), keys, "lease {which}");
    }
    assert_eq!(f.store().leases().await.unwrap(), model.leases);
}

fn compares() -> impl Strategy<Value = Compare> {
    let relation = prop_oneof![
        Just(Relation::Equal),
        Just(Relation::NotEqual),
        Just(Relation::Less),
        Just(Relation::Greater)
    ];
    let target = prop_oneof![
        (0u64..20).prop_map(|revision| Target::CreateRevision(Revision(revision))),
        (0u64..20).prop_map(|revision| Target::ModRevision(Revision(revision))),
        (0u64..4).prop_map(Target::Version),
        (0u8..4).prop_map(|value| Target::Value(value.to_string().into())),
        prop::option::of(1u64..4).prop_map(|lease| Target::Lease(lease.map(LeaseId))),
    ];
    (0u8..6, 0u8..3, relation, target).prop_map(|(from, more, relation, target)| Compare {
        range: if more == 0 {
            KeyRange::key(name(from))
        } else {
            between(from, from + more)
        },
        relation,
        target,
    })
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => (0u8..6, 0u8..4, prop::option::of(0usize..3))
            .prop_map(|(key, value, lease)| Action::Put { key, value, lease }),
        2 => (0u8..7, 0u8..7).prop_map(|(from, to)| Action::Delete { from, to }),
        1 => (0u8..7, 0u8..7).prop_map(|(from, to)| Action::Range { from, to }),
    ];
    prop::collection::vec(action, 0..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (prop::collection::vec(compares(), 0..2), actions(), actions())
            .prop_map(|(compare, then, otherwise)| Step::Txn { compare, then, otherwise }),
        5 => (0u8..7, 0u8..7, 0usize..12, prop::option::of(0usize..5))
            .prop_map(|(from, to, back, limit)| Step::Read { from, to, back, limit }),
        1 => (0usize..8).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Grant),
        1 => (0usize..3).prop_map(|which| Step::Revoke { which }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

fn check(mut fixture: Fixture, steps: Vec<Step>) {
    runtime().block_on(run(&mut fixture, steps));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn run(fixture: &mut Fixture, steps: Vec<Step>) {
    let mut model = Model {
        states: vec![State::new()],
        compacted: 0,
        leases: Vec::new(),
    };
    for next in steps {
        step(fixture, &mut model, next).await;
        assert_eq!(fixture.store().revision().await.unwrap(), model.head());
    }
    replay(fixture, &model).await;
    let now: Vec<KeyValue> = model.now().values().cloned().collect();
    assert_eq!(
        fixture
            .store()
            .range(RangeRequest::new(KeyRange::all()))
            .await
            .unwrap()
            .kvs,
        now
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn memory_is_as_the_model(steps in steps()) {
        check(Fixture::memory(|_| {}), steps);
    }

    #[test]
    fn disk_is_as_the_model(steps in steps()) {
        check(Fixture::disk(|_| {}), steps);
    }
}

#[cfg(feature = "etcd")]
proptest! {
    // Each case has an etcd of its own, which takes its time to start.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::with_cases(16)
    })]

    #[test]
    fn etcd_is_as_the_model(steps in steps()) {
        runtime().block_on(async {
            let mut fixture = Fixture::etcd().await;
            run(&mut fixture, steps).await;
        });
    }
}
