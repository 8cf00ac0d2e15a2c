//! What a transaction may not be, checked before it is queued and by every backend alike: a service that was
//! only ever tried on the embedded store must not learn about etcd's limits in production.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use crate::api::{MAX_OPS, MAX_TXN_BYTES, Op, Target, Txn};
use crate::error::{Error, Result};
use crate::range::KeyRange;

/// The shortest and longest lease.
const LEASE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);

/// A lease's time to live in whole seconds, or why it cannot be had.
pub(crate) fn lease_ttl(asked: Duration) -> Result<Duration> {
    if !LEASE.contains(&asked) {
        return Err(Error::LeaseTtl {
            asked,
            min: *LEASE.start(),
            max: *LEASE.end(),
        });
    }
    Ok(Duration::from_secs(
        asked.as_secs() + u64::from(asked.subsec_nanos() > 0),
    ))
}

/// Refuses what etcd would refuse: too many steps, too many bytes, an empty key, a key written twice.
pub fn check(txn: &Txn) -> Result<()> {
    let lists = [
        ("comparisons", txn.compare.len()),
        ("operations", txn.then.len()),
        ("operations", txn.otherwise.len()),
    ];
    for (what, got) in lists {
        if got > MAX_OPS {
            return Err(Error::TooLarge {
                what,
                got,
                limit: MAX_OPS,
            });
        }
    }
    let got = bytes_of(txn);
    if got > MAX_TXN_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            got,
            limit: MAX_TXN_BYTES,
        });
    }
    check_ops(&txn.then)?;
    check_ops(&txn.otherwise)
}

fn check_ops(ops: &[Op]) -> Result<()> {
    let mut puts: BTreeSet<&Bytes> = BTreeSet::new();
    for op in ops {
        match op {
            Op::Put { key, .. } if key.is_empty() => return Err(Error::EmptyKey),
            Op::Put { key, .. } if !puts.insert(key) => return Err(duplicate(key)),
            Op::Range(request) => {
                if let Some(wanted) = request.revision {
                    return Err(Error::HistoryInTransaction { wanted });
                }
            }
            Op::Put { .. } | Op::Delete { .. } => {}
        }
    }
    for op in ops {
        if let Op::Delete { range } = op
            && let Some(key) = puts.range::<Bytes, _>(&range.start..).next()
            && range.contains(key)
        {
            return Err(duplicate(key));
        }
    }
    Ok(())
}

fn duplicate(key: &[u8]) -> Error {
    Error::DuplicateKey {
        key: String::from_utf8_lossy(key).into_owned(),
    }
}

fn bytes_of(txn: &Txn) -> usize {
    let range = |range: &KeyRange| range.start.len() + range.end.as_ref().map_or(0, Bytes::len);
    let compares = txn.compare.iter().map(|compare| {
        range(&compare.range)
            + if let Target::Value(value) = &compare.target {
                value.len()
            } else {
                8
            }
    });
    let ops = txn.then.iter().chain(&txn.otherwise).map(|op| match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Delete { range: gone } => range(gone),
        Op::Range(request) => range(&request.range),
    });
    compares.chain(ops).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Compare, RangeRequest, Revision};

    fn refused(txn: Txn) -> String {
        check(&txn).expect_err("must be refused").to_string()
    }

    #[test]
    fn transactions_within_limits_pass() {
        let ops: Vec<Op> = (0..128).map(|i| Op::put(format!("k{i}"), "v")).collect();
        let txn = Txn {
            compare: vec![Compare::absent("a"); 128],
            then: ops.clone(),
            otherwise: ops,
        };
        check(&txn).unwrap();
        check(&Txn::of([Op::put("a", vec![0; MAX_TXN_BYTES - 1])])).unwrap();
        check(&Txn::of([Op::delete("a"), Op::delete("a"), Op::put("b", "")])).unwrap();
    }

    #[test]
    fn transactions_beyond_limits_are_refused_by_name() {
        let many: Vec<Op> = (0..129).map(|i| Op::put(format!("k{i}"), "v")).collect();
        assert!(refused(Txn::of(many.clone())).contains("operations is 129, at most 128"));
        assert!(
            refused(Txn {
                otherwise: many,
                ..Txn::default()
            })
            .contains("operations is 129")
        );
        let compare = vec![Compare::absent("a"); 129];
        assert!(
            refused(Txn {
                compare,
                ..Txn::default()
            })
            .contains("comparisons is 129")
        );
        assert!(refused(Txn::of([Op::put("a", vec![0; MAX_TXN_BYTES])])).contains("bytes is 1572865"));
        assert!(refused(Txn::of([Op::put("", "v")])).contains("empty key"));
        assert!(refused(Txn::of([Op::put("a", "1"), Op::put("a", "2")])).contains("\"a\" more than once"));
        let range = KeyRange::prefix("a");
        for ops in [
            [Op::put("ab", "1"), Op::Delete { range: range.clone() }],
            [Op::Delete { range }, Op::put("ab", "1")],
        ] {
            assert!(refused(Txn::of(ops)).contains("\"ab\" more than once"));
        }
        let history = Op::Range(RangeRequest::prefix("a").at(Revision(1)));
        assert!(refused(Txn::of([history])).contains("reads at revision 1"));
    }
}
