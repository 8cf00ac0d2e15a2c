//! A layer's bytes, from the network into a channel, so that unpacking goes on while the rest still travels. A
//! connection that breaks is taken up where it broke; the digest covers the whole and decides at the end.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderValue, RANGE};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::Session;
use crate::model::Descriptor;
use crate::progress::Row;
use crate::{Digest, Error, Result};

/// Most broken connections of one blob, each after some progress.
const MAX_RESUMPTIONS: u32 = 100;
/// Bytes still read after unpacking failed, to learn whether the content was damaged on the way.
const MAX_INQUEST: u64 = 32 << 20;

/// A message to whoever unpacks. A channel that ends without `End` means that the bytes are not to be trusted.
#[derive(Debug)]
pub(crate) enum Chunk {
    Data(Bytes),
    End,
}

/// How much has arrived.
struct Progress {
    hasher: Sha256,
    done: u64,
    /// Bytes after the receiver went away.
    unheard: u64,
    watched: Option<Arc<Row>>,
}

impl Session {
    /// Sends the blob to `sink` and checks size and digest. If the receiver goes away, the answer is still a digest
    /// mismatch if that is what it was; otherwise the receiver knows what was wrong.
    pub(crate) async fn blob(
        &self,
        layer: &Descriptor,
        sink: mpsc::Sender<Chunk>,
        watched: Option<Arc<Row>>,
    ) -> Result<()> {
        let mut progress = Progress {
            hasher: Sha256::new(),
            done: 0,
            unheard: 0,
            watched,
        };
        let (mut failures, mut resumptions) = (0, 0);
        loop {
            let before = progress.done;
            match self.part(layer, &mut progress, &sink).await {
                Ok(()) => break,
                Err(error) if error.is_transient() => {
                    failures = if progress.done > before { 0 } else { failures + 1 };
                    if failures > self.retries || resumptions >= MAX_RESUMPTIONS {
                        return Err(error.after_retries(resumptions));
                    }
                    tracing::debug!(%error, layer = %layer.digest, at = progress.done, "taking up a layer where it broke");
                    tokio::time::sleep(self.pause_before(failures)).await;
                    resumptions += 1;
                }
                Err(error) => return Err(error.after_retries(resumptions)),
            }
        }
        if progress.unheard > MAX_INQUEST {
            return Ok(());
        }
        let actual = Digest::from_hasher(progress.hasher);
        if actual != layer.digest {
            return Err(mismatch(layer, actual.to_string()));
        }
        // Nobody listening is no failure here: see above.
        let _ = sink.send(Chunk::End).await;
        Ok(())
    }

    /// One request, from where the last one ended.
    async fn part(
        &self,
        layer: &Descriptor,
        progress: &mut Progress,
        sink: &mpsc::Sender<Chunk>,
    ) -> Result<()> {
        let doing = format!("layer {} of {}", layer.digest, self.reference);
        if progress.done >= layer.size {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        if progress.done > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", progress.done));
            headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let response = self
            .ask(Method::GET, &self.url("blobs", layer.digest.as_str()), headers)
            .await?;
        let mut response = self.expect(response, &[200, 206], &doing).await?;
        // A server that knows no ranges begins again; a range must begin where it was asked to.
        let mut skip = if response.status == 200 { progress.done } else { 0 };
        if response.status == 206 {
            let begins = format!("bytes {}-", progress.done);
            if !response
                .header("content-range")
                .is_some_and(|range| range.starts_with(&begins))
            {
                return Err(mismatch(layer, "another range than was asked for".to_owned()));
            }
        }
        while progress.done < layer.size {
            let Some(mut chunk) = response.chunk(&doing).await? else {
                let detail = format!(
                    "the connection closed after {} of {} bytes",
                    progress.done, layer.size
                );
                return Err(Error::Unreachable {
                    registry: response.registry().to_owned(),
                    retries: 0,
                    detail,
                });
            };
            let passed = skip.min(chunk.len() as u64);
            skip -= passed;
            let chunk = chunk.split_off(passed as usize);
            if progress.done + chunk.len() as u64 > layer.size {
                return Err(mismatch(
                    layer,
                    format!("more than the {} bytes of the manifest", layer.size),
                ));
            }
            progress.hasher.update(&chunk);
            progress.done += chunk.len() as u64;
            if let Some(row) = &progress.watched {
                row.arrived(progress.done);
            }
            let length = chunk.len() as u64;
            if !chunk.is_empty() && sink.send(Chunk::Data(chunk)).await.is_err() {
                progress.unheard += length;
                if progress.unheard > MAX_INQUEST {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn mismatch(layer: &Descriptor, actual: String) -> Error {
    Error::DigestMismatch {
        what: format!("layer {}", layer.digest),
        expected: layer.digest.clone(),
        actual,
    }
}
