//! Taking a cluster, or a prefix in one. Roadstead must not mistake somebody else's keys for its own, nor an old
//! release the data of a newer one; one reserved key tells both, and where the store's revisions begin.

use std::path::PathBuf;

use crate::api::{KeyValue, RangeRequest, Revision};
use crate::error::{Error, Result};
use crate::etcd::base::Base;
use crate::etcd::client::{Again, Client};
use crate::etcd::message;
use crate::etcd::wire::Message;
use crate::etcd::{grpc, malformed};
use crate::range::KeyRange;

/// How this release keeps its data in etcd. Raise it with every change that an older release would misread.
const FORMAT: u64 = 1;
const FORMAT_KEY: &str = "format";
/// The oldest release that delivers large revisions in pieces.
const OLDEST: (u32, u32) = (3, 4);

/// Takes the cluster if it is empty; returns where its revisions begin, and the present one.
pub(super) async fn claim(client: &Client) -> Result<(Base, Revision)> {
    check_release(client).await?;
    let doing = "taking the cluster";
    let prefix = &client.endpoints().prefix;
    let place = Base::new(0, prefix);
    // Twice is as good as once: whoever comes second finds the key.
    let taken = client
        .call(grpc::TXN, claim_request(&place), Again::Harmless)
        .await;
    taken.map_err(|failed| failed.into_error(doing))?;
    let (kv, revision) = read(client, &place).await?;
    let Some(kv) = kv else {
        let mut detail = format!("{} holds keys that Roadstead did not write", client.endpoints());
        for above in place.above() {
            if read(client, &above).await?.0.is_some() {
                detail = format!("{} lies within what another Roadstead uses", client.endpoints());
            }
        }
        return Err(Error::Etcd {
            doing,
            detail: format!("{detail}; give Roadstead a cluster or a prefix of its own"),
        });
    };
    match std::str::from_utf8(&kv.value)
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
    {
        Some(FORMAT) => {
            let base = Base::new(kv.create_revision.0 - 1, prefix);
            let head = base.ours(revision.0);
            Ok((base, head))
        }
        Some(newer) if newer > FORMAT => Err(Error::NewerFormat {
            dir: PathBuf::from(client.endpoints().to_string()),
            found: newer,
            supported: FORMAT,
        }),
        _ => Err(Error::corrupt(
            "key that tells the format",
            format!("it says {:?}", String::from_utf8_lossy(&kv.value)),
        )),
    }
}

/// The key that tells the format, and etcd's revision.
async fn read(client: &Client, place: &Base) -> Result<(Option<KeyValue>, Revision)> {
    let doing = "taking the cluster";
    let request = Message::new().bytes(1, &place.own(FORMAT_KEY)).finish();
    let read = client.call(grpc::RANGE, request, Again::Harmless).await;
    let message = read.map_err(|failed| failed.into_error(doing))?;
    let found = message::range_response(message, &RangeRequest::new(KeyRange::all()), &Base::raw())
        .map_err(|error| malformed(doing, error))?;
    Ok((found.kvs.into_iter().next(), found.revision))
}

/// If there is no key at all, and no Roadstead above, the key that tells the format.
fn claim_request(place: &Base) -> bytes::Bytes {
    // The number of the target, and its zero, say: created at revision 0, which is never.
    let absent = |start: &[u8]| Message::new().number(2, 1).bytes(3, start).set(5, 0);
    let (start, end) = place.whole();
    let format = FORMAT.to_string();
    let put = Message::new()
        .bytes(1, &place.own(FORMAT_KEY))
        .bytes(2, format.as_bytes());
    Message::new()
        .message(1, absent(&start).bytes(64, &end))
        .messages(1, place.above().map(|above| absent(&above.own(FORMAT_KEY))))
        .message(2, Message::new().message(2, put))
        .finish()
}

async fn check_release(client: &Client) -> Result<()> {
    let doing = "telling its release";
    let told = client
        .call(grpc::STATUS, Message::new().finish(), Again::Harmless)
        .await;
    let message = told.map_err(|failed| failed.into_error(doing))?;
    let release = message::release(message).map_err(|error| malformed(doing, error))?;
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
        _ => Err(Error::Etcd {
            doing: "to be used",
            detail: format!("its release is {release}, and 3.4 or later is needed"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claim_compares_every_key_with_absence() {
        // target CREATE (1), key \0, create_revision 0 said aloud, range_end \0 in field 64.
        let compare = b"\x10\x01\x1a\x01\0\x28\0\x82\x04\x01\0";
        let request = claim_request(&Base::raw());
        assert_eq!(&request[..2], [0x0a, compare.len() as u8]);
        assert_eq!(&request[2..2 + compare.len()], compare);
    }
}
