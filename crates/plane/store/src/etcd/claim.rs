//! Taking a cluster. Roadstead must not mistake somebody else's etcd for its own, nor an old release the data of
//! a newer one; one reserved key tells both, and where the store's revisions begin.

use std::path::PathBuf;

use crate::api::{RangeRequest, Revision};
use crate::error::{Error, Result};
use crate::etcd::client::{Again, Client};
use crate::etcd::message::{self, Base};
use crate::etcd::wire::Message;
use crate::etcd::{grpc, malformed};
use crate::range::KeyRange;

/// How this release keeps its data in etcd. Raise it with every change that an older release would misread.
const FORMAT: u64 = 1;
const FORMAT_KEY: &[u8] = b"\0roadstead/format";
/// The oldest release that delivers large revisions in pieces.
const OLDEST: (u32, u32) = (3, 4);

/// Takes the cluster if it is empty; returns where its revisions begin, and the present one.
pub(super) async fn claim(client: &Client) -> Result<(Base, Revision)> {
    check_release(client).await?;
    let doing = "taking the cluster";
    // Twice is as good as once: whoever comes second finds the key.
    let taken = client.call(grpc::TXN, claim_request(), Again::Harmless).await;
    taken.map_err(|failed| failed.into_error(doing))?;
    let request = Message::new().bytes(1, FORMAT_KEY).finish();
    let read = client.call(grpc::RANGE, request, Again::Harmless).await;
    let message = read.map_err(|failed| failed.into_error(doing))?;
    let found = message::range_response(message, &RangeRequest::new(KeyRange::all()), Base(0))
        .map_err(|error| malformed(doing, error))?;
    let Some(kv) = found.kvs.first() else {
        return Err(Error::Etcd {
            doing,
            detail: format!(
                "{} holds keys that Roadstead did not write; give Roadstead a cluster of its own",
                client.endpoints()
            ),
        });
    };
    match std::str::from_utf8(&kv.value)
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
    {
        Some(FORMAT) => {
            let base = Base(kv.create_revision.0 - 1);
            Ok((base, base.ours(found.revision.0)))
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

/// If there is no key at all, the key that tells the format.
fn claim_request() -> bytes::Bytes {
    // The number of the target, and its zero, say: created at revision 0, which is never.
    let no_key = Message::new()
        .number(2, 1)
        .bytes(3, &[0])
        .set(5, 0)
        .bytes(64, &[0]);
    let format = FORMAT.to_string();
    let put = Message::new().bytes(1, FORMAT_KEY).bytes(2, format.as_bytes());
    Message::new()
        .message(1, no_key)
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
        let request = claim_request();
        assert_eq!(&request[..2], [0x0a, compare.len() as u8]);
        assert_eq!(&request[2..2 + compare.len()], compare);
    }
}
