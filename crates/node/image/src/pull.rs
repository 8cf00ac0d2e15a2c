//! From a reference to an image in the store, asking the network for no more than what is missing.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::images::{Inner, Ready, blocking};
use crate::layer::{Bounds, Budget, unpack_layer};
use crate::logins::Logins;
use crate::model::{Compression, Config, Descriptor, Document, choose, parse_config, parse_document};
use crate::progress::{Phase, Progress, Row};
use crate::registry::{Auth, Chunk, Fetched, Session, endpoints};
use crate::{Digest, Error, Image, Images, Reference, Result};

/// Pieces of a layer on their way from the network to the unpacker.
const PIECES: usize = 32;
/// How often layers are fetched again that another process removed in the meantime.
const MAX_ROUNDS: u32 = 3;
/// An index may list an index; not deeper.
const MAX_NESTING: u32 = 2;

/// A layer still to be fetched or found.
#[derive(Clone, Debug)]
struct Wanted {
    descriptor: Descriptor,
    compression: Compression,
    diff_id: Digest,
}

impl Images {
    /// Fetches the image that the registry has for a reference now. When the store has that very image, only its
    /// digest is asked for. Calls for the same reference with the same credentials at the same time share one pull.
    ///
    /// [`Auth::Anonymous`] is whoever the operator's file of credentials says this node is.
    pub async fn pull(&self, reference: &str, auth: Auth) -> Result<Image> {
        self.pull_and_tell(reference, auth, None).await
    }

    /// The same, told to `progress` as it goes. A pull that is already under way tells whoever began it.
    pub async fn pull_watched(&self, reference: &str, auth: Auth, progress: Arc<Progress>) -> Result<Image> {
        self.pull_and_tell(reference, auth, Some(progress)).await
    }

    async fn pull_and_tell(
        &self,
        reference: &str,
        auth: Auth,
        progress: Option<Arc<Progress>>,
    ) -> Result<Image> {
        let reference = Reference::parse(reference)?;
        let inner = self.inner.clone();
        let key = (reference.clone(), auth.clone());
        let work = || async move {
            let limit = inner.options.limits.pull_timeout;
            match tokio::time::timeout(limit, pull(&inner, &reference, auth, progress)).await {
                Ok(result) => result,
                Err(_) => Err(Error::TimedOut {
                    registry: reference.registry().to_owned(),
                    retries: 0,
                    doing: format!("pulling {reference}"),
                    seconds: limit.as_secs(),
                }),
            }
        };
        let ended = || Error::Unreachable {
            registry: "the registry".to_owned(),
            retries: 0,
            detail: "the pull was given up because this program is stopping".to_owned(),
        };
        self.inner
            .pulls
            .share(key, work)
            .await
            .unwrap_or_else(|| Err(ended()))
    }
}

async fn pull(
    inner: &Arc<Inner>,
    reference: &Reference,
    auth: Auth,
    progress: Option<Arc<Progress>>,
) -> Result<Image> {
    let logins = match (&auth, inner.options.logins.clone()) {
        (Auth::Anonymous, Some(path)) => blocking(move || Logins::read(&path)).await?,
        _ => Logins::default(),
    };
    let local = {
        let (inner, reference) = (inner.clone(), reference.clone());
        blocking(move || {
            let guard = inner.store.lock_shared()?;
            match inner.find(&guard, &reference) {
                Err(Error::Damaged { reference, why }) => {
                    tracing::warn!(reference, why, "pulling a damaged image again");
                    Ok(None)
                }
                other => other,
            }
        })
        .await?
    };
    let mut last = None;
    // A mirror that lacks the image or cannot be reached hands over to the next.
    for endpoint in endpoints(&inner.options, reference) {
        let auth = match &auth {
            Auth::Anonymous => logins.of(endpoint.host()),
            given => given.clone(),
        };
        let session = Session::new(inner.http.clone(), &inner.options, endpoint, reference, auth);
        let progress = progress.as_deref();
        match pull_from(inner, reference, Arc::new(session), local.as_ref(), progress).await {
            Ok(image) => return Ok(image),
            Err(error) if error.is_transient() || matches!(error, Error::NotFound { .. }) => {
                last = Some(error)
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::NotFound {
        reference: reference.to_string(),
        retries: 0,
    }))
}

async fn pull_from(
    inner: &Arc<Inner>,
    reference: &Reference,
    session: Arc<Session>,
    local: Option<&Image>,
    progress: Option<&Progress>,
) -> Result<Image> {
    if let Some(local) = local
        && session
            .head()
            .await?
            .is_some_and(|digest| digest == local.digest || digest == local.manifest_digest)
    {
        let (inner, local) = (inner.clone(), local.clone());
        return blocking(move || inner.adopt(&local).map(|()| local)).await;
    }
    let text = reference.to_string();
    let top = session.manifest().await?;
    let digest = top.digest.clone();
    let (fetched, manifest) = resolve(inner, &text, &session, top).await?;
    let held = inner.store.blob(&manifest.config.digest)?;
    let config_bytes = match held {
        Some(bytes) => bytes,
        None => session.document(&manifest.config).await?,
    };
    let config = parse_config(&text, &config_bytes, manifest.layers.len())?;
    config.check_platform(&text, &inner.options.platform)?;
    let wanted = wanted(&text, &manifest.layers, &config)?;
    let _busy = inner.count_on(&config.diff_ids);
    let ready = Ready {
        references: vec![reference.clone()],
        digest,
        manifest_digest: fetched.digest.clone(),
        documents: vec![
            (manifest.config.digest.clone(), config_bytes),
            (fetched.digest, fetched.bytes),
        ],
        diff_ids: config.lowers(),
        tracked: inner.options.tracks,
    };
    let ready = Arc::new(ready);
    let rows = progress.map(|progress| {
        progress.begin(
            wanted
                .iter()
                .map(|layer| (&layer.descriptor.digest, layer.descriptor.size)),
        )
    });
    for _ in 0..MAX_ROUNDS {
        check_room(inner, &wanted, &text).await?;
        fetch_layers(inner, &session, &wanted, rows.as_deref()).await?;
        let (inner, ready) = (inner.clone(), ready.clone());
        if let Some(images) = blocking(move || inner.commit(&ready)).await?
            && let Some(image) = images.into_iter().next()
        {
            return Ok(image);
        }
    }
    Err(Error::Damaged {
        reference: text,
        why: "its layers are removed as fast as they are fetched".to_owned(),
    })
}

/// Follows indexes to the manifest for this node.
async fn resolve(
    inner: &Inner,
    text: &str,
    session: &Session,
    top: Fetched,
) -> Result<(Fetched, crate::model::Manifest)> {
    let mut fetched = top;
    for _ in 0..=MAX_NESTING {
        match parse_document(text, &fetched.bytes, fetched.content_type.as_deref())? {
            Document::Image(manifest) => return Ok((fetched, manifest)),
            Document::Index(entries) => {
                fetched = session
                    .child(choose(text, &entries, &inner.options.platform)?)
                    .await?;
            }
        }
    }
    Err(Error::BadManifest {
        reference: text.to_owned(),
        why: "its indexes list indexes without end".to_owned(),
    })
}

/// The layers with their diff ids, each once.
fn wanted(text: &str, layers: &[Descriptor], config: &Config) -> Result<Vec<Wanted>> {
    let mut seen = std::collections::HashSet::new();
    let mut wanted = Vec::new();
    for (descriptor, diff_id) in layers.iter().zip(&config.diff_ids) {
        let compression = Compression::of(text, descriptor)?;
        if seen.insert(diff_id) {
            wanted.push(Wanted {
                descriptor: descriptor.clone(),
                compression,
                diff_id: diff_id.clone(),
            });
        }
    }
    Ok(wanted)
}

/// Holds the bound on the store against what the manifest says there is to come, and removes images that may go for
/// it, before anything is transferred.
async fn check_room(inner: &Arc<Inner>, wanted: &[Wanted], text: &str) -> Result<()> {
    if !inner.room.is_bounded() {
        return Ok(());
    }
    let (inner, wanted, text) = (inner.clone(), wanted.to_vec(), text.to_owned());
    blocking(move || {
        inner.count_stored()?;
        let mut transfer = 0_u64;
        for layer in &wanted {
            if inner.store.layer(&layer.diff_id)?.is_none() {
                transfer = transfer.saturating_add(layer.descriptor.size);
            }
        }
        if transfer == 0 {
            return Ok(());
        }
        let missing = inner.room.missing(transfer);
        if missing > 0 {
            inner.make_room(missing)?;
        }
        inner.room.check(&text, transfer)
    })
    .await
}

async fn fetch_layers(
    inner: &Arc<Inner>,
    session: &Arc<Session>,
    wanted: &[Wanted],
    rows: Option<&[Arc<Row>]>,
) -> Result<()> {
    let budget = Budget::new(&inner.options.limits);
    let slots = Arc::new(Semaphore::new(inner.options.limits.parallel_layers.max(1)));
    // Dropped with the first error, which ends the others.
    let mut tasks = JoinSet::new();
    for (index, layer) in wanted.iter().cloned().enumerate() {
        let row = rows.and_then(|rows| rows.get(index).cloned());
        let tell = move |row: &Option<Arc<Row>>, phase| {
            if let Some(row) = row {
                row.is(phase);
            }
        };
        let (inner, session, budget, slots) = (inner.clone(), session.clone(), budget.clone(), slots.clone());
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let lock = inner.layer_lock(&layer.diff_id);
            let _lock = lock.lock().await;
            if inner.store.layer(&layer.diff_id)?.is_some() {
                tell(&row, Phase::Present);
                return Ok(());
            }
            tell(&row, Phase::Fetching);
            fetch_layer(&inner, &session, layer, budget, row.clone()).await?;
            tell(&row, Phase::Stored);
            Ok(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.map_err(|error| {
            Error::io("fetch", std::path::Path::new("a layer"), io::Error::other(error))
        })??;
    }
    Ok(())
}

async fn fetch_layer(
    inner: &Arc<Inner>,
    session: &Session,
    layer: Wanted,
    budget: Budget,
    row: Option<Arc<Row>>,
) -> Result<()> {
    let (sink, source) = mpsc::channel(PIECES);
    let (unpacker, descriptor) = (inner.clone(), layer.descriptor.clone());
    let unpacking = tokio::task::spawn_blocking(move || {
        let staging = unpacker.store.stage()?;
        let label = layer.descriptor.digest.to_string();
        let mut source = ChannelReader {
            source,
            piece: Bytes::new(),
            ended: false,
        };
        let relief = |missing| unpacker.relieve(missing);
        let (record, reserved) = unpack_layer(
            &mut source,
            layer.compression,
            &staging,
            Some(&layer.diff_id),
            &label,
            Bounds {
                budget: &budget,
                room: &unpacker.room,
                relief: &relief,
            },
        )?;
        // The end comes after the compressed digest was found right.
        source.finish().map_err(|error| Error::BadLayer {
            layer: label,
            why: error.to_string(),
        })?;
        unpacker.store.commit_layer(&staging, &record)?;
        reserved.keep();
        Ok(())
    });
    let fetched = session.blob(&descriptor, sink, row).await;
    let unpacked = unpacking
        .await
        .map_err(|error| Error::io("unpack", std::path::Path::new("a layer"), io::Error::other(error)))?;
    // When the network failed, the unpacker only noticed.
    fetched?;
    unpacked
}

/// The receiving end, as the unpacker wants it.
struct ChannelReader {
    source: mpsc::Receiver<Chunk>,
    piece: Bytes,
    ended: bool,
}

impl ChannelReader {
    /// Waits for the word that all bytes were right.
    fn finish(&mut self) -> io::Result<()> {
        let mut rest = [0; 4096];
        while self.read(&mut rest)? > 0 {}
        Ok(())
    }
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.source.blocking_recv() {
                Some(Chunk::Data(piece)) => self.piece = piece,
                Some(Chunk::End) => self.ended = true,
                None => return Err(io::Error::other("the download was given up")),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
