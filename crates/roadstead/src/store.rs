//! Which store the records are in, and opening it: on this machine's disk, in memory, or in an etcd that other
//! machines have too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use roadstead_store::etcd::{Endpoints, Held, Holder, Identity, Tls};
use roadstead_store::{Embedded, Etcd, Store};

use crate::installation;
use crate::place;

/// What `--store` says.
#[derive(Clone, Debug)]
pub(crate) enum Choice {
    Memory,
    Disk,
    Etcd(Endpoints, Option<Tls>),
}

/// The files of `--store-ca`, `--store-cert` and `--store-key`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// Takes the options together; refuses those that contradict each other.
pub(crate) fn choose(store: Option<&str>, ephemeral: Option<bool>, files: Files) -> Result<Choice> {
    let choice = match (store, ephemeral) {
        (None, Some(true)) | (Some("memory"), None | Some(true)) => Choice::Memory,
        (Some("memory"), Some(false)) => {
            bail!(
                "--store memory keeps nothing, which --ephemeral=false asks not to do: leave out one of them"
            )
        }
        (None | Some("disk"), None | Some(false)) => Choice::Disk,
        (Some(store), Some(true)) => {
            bail!("--ephemeral keeps nothing, and --store {store} is there to keep: leave out one of them")
        }
        (Some(text), None | Some(false)) => match text.parse() {
            Ok(endpoints) => Choice::Etcd(endpoints, None),
            Err(error) => {
                bail!("--store {text:?} is neither disk, nor memory, nor the address of an etcd: {error}")
            }
        },
    };
    let Files { ca, certificate, key } = files;
    let Choice::Etcd(endpoints, _) = choice else {
        if let Some(name) = first(&ca, &certificate, &key) {
            bail!("{name} is for an etcd over TLS: give --store etcds://HOST:PORT too, or leave it out");
        }
        return Ok(choice);
    };
    if !endpoints.is_secure() {
        if let Some(name) = first(&ca, &certificate, &key) {
            bail!("{name} is for TLS, and {endpoints} is without: write it as etcds://, or leave that out");
        }
        return Ok(Choice::Etcd(endpoints, None));
    }
    let Some(authority) = ca else {
        bail!("{endpoints} is over TLS: name the certificates of its authority with --store-ca");
    };
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) => bail!("--store-cert is of no use without its key: give --store-key too"),
        (None, Some(_)) => bail!("--store-key is of no use without its certificate: give --store-cert too"),
    };
    Ok(Choice::Etcd(endpoints, Some(Tls { authority, identity })))
}

fn first(ca: &Option<PathBuf>, certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<&'static str> {
    let names = [
        ("--store-ca", ca),
        ("--store-cert", certificate),
        ("--store-key", key),
    ];
    names
        .into_iter()
        .find(|(_, file)| file.is_some())
        .map(|(name, _)| name)
}

/// An open store that this process may use.
pub(crate) struct Opened {
    pub store: Arc<dyn Store>,
    /// What page tokens are made with.
    pub page_key: [u8; 32],
    /// An etcd is held, so that no second server works on it.
    pub held: Option<Held>,
}

pub(crate) async fn open(choice: &Choice, data: &Path) -> Result<Opened> {
    match choice {
        Choice::Memory => {
            let store = Arc::new(Embedded::in_memory(roadstead_store::Options::default())?);
            let page_key = installation::of_memory(store.as_ref()).await?;
            Ok(Opened {
                store,
                page_key,
                held: None,
            })
        }
        Choice::Disk => {
            let path = place::store(data);
            let store = disk(path.clone())
                .await
                .with_context(|| format!("opening the store {}", path.display()))?;
            let page_key = installation::settle(store.as_ref(), data, "disk").await?;
            Ok(Opened {
                store,
                page_key,
                held: None,
            })
        }
        Choice::Etcd(endpoints, tls) => {
            let opening = || format!("opening the store {endpoints}");
            let options = roadstead_store::etcd::Options {
                tls: tls.clone(),
                ..Default::default()
            };
            let store = Etcd::connect(endpoints.clone(), options)
                .await
                .with_context(opening)?;
            let held = store.hold(me(data)?).await.with_context(opening)?;
            let page_key = installation::settle(&store, data, &endpoints.to_string()).await?;
            Ok(Opened {
                store: Arc::new(store),
                page_key,
                held: Some(held),
            })
        }
    }
}

async fn disk(path: PathBuf) -> Result<Arc<dyn Store>> {
    let open = move || Embedded::open(&path, roadstead_store::Options::default());
    Ok(Arc::new(tokio::task::spawn_blocking(open).await??))
}

/// This server, as others are told of it.
fn me(data: &Path) -> Result<Holder> {
    let host = nix::unistd::gethostname().context("asking for this machine's name")?;
    Ok(Holder {
        instance: place::instance(data)?,
        host: host.to_string_lossy().into_owned(),
        process: std::process::id(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &str) -> Files {
        let file = |name: &str| names.contains(name).then(|| PathBuf::from(name));
        Files {
            ca: file("ca"),
            certificate: file("cert"),
            key: file("key"),
        }
    }

    #[test]
    fn a_store_is_chosen_by_its_name() {
        let check = |store: Option<&str>, ephemeral: Option<bool>, given: &str, shown: &str| {
            let choice = choose(store, ephemeral, files(given)).expect(shown);
            let found = match &choice {
                Choice::Memory => "memory".to_owned(),
                Choice::Disk => "disk".to_owned(),
                Choice::Etcd(endpoints, tls) => {
                    let identity = tls.as_ref().map(|tls| tls.identity.is_some());
                    format!("{endpoints} {identity:?}")
                }
            };
            assert_eq!(found, shown);
        };
        check(None, None, "", "disk");
        check(None, Some(false), "", "disk");
        check(Some("disk"), None, "", "disk");
        check(None, Some(true), "", "memory");
        check(Some("memory"), None, "", "memory");
        check(Some("memory"), Some(true), "", "memory");
        check(Some("etcd://a,b:1/p"), None, "", "etcd://a:2379,b:1/p None");
        check(Some("etcds://a"), None, "ca", "etcds://a:2379 Some(false)");
        check(
            Some("etcds://a"),
            None,
            "ca cert key",
            "etcds://a:2379 Some(true)",
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let check = |store: Option<&str>, ephemeral: Option<bool>, given: &str, words: &str| {
            let refused = choose(store, ephemeral, files(given)).expect_err(words);
            assert!(refused.to_string().contains(words), "{refused}");
        };
        check(Some("memory"), Some(false), "", "--ephemeral=false");
        check(Some("etcd://a"), Some(true), "", "--ephemeral keeps nothing");
        check(Some("disk"), Some(true), "", "--ephemeral keeps nothing");
        check(Some("redis://a"), None, "", "redis://a");
        check(Some("etcd://me:secret@a"), None, "", "user or password");
        check(None, None, "ca", "--store-ca");
        check(Some("memory"), None, "key", "--store-key");
        check(Some("etcd://a"), None, "cert", "--store-cert");
        check(Some("etcds://a"), None, "", "--store-ca");
        check(Some("etcds://a"), None, "ca cert", "--store-key");
        check(Some("etcds://a"), None, "ca key", "--store-cert");
    }
}
