//! The control plane put together: store, gate, services, listener.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use roadstead_base::{AccountId, Caller, Pager, Partition, SharedClock, random_bytes, random_hex};
use roadstead_dispatch::{Dispatcher, IssuedKey, Listener};
use roadstead_ec2::{DefaultVpc, Ec2};
use roadstead_ecs::Ecs;
use roadstead_store::{Embedded, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::UpConfig;
use crate::place;

/// A key that Roadstead issued to its own node, for as long as the process lives.
pub(crate) struct NodeKey {
    pub access_key: String,
    pub secret_key: String,
}

/// The running control plane.
pub(crate) struct Plane {
    pub dispatcher: Arc<Dispatcher>,
    pub ec2: Arc<Ec2>,
    ecs: roadstead_ecs::Running,
    listeners: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Plane {
    pub(crate) async fn start(config: &UpConfig, clock: SharedClock) -> Result<Self> {
        let (store, page_key) = open(config).await?;
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new(page_key), config.account.clone());
        let options = roadstead_ec2::Options {
            default_vpc_cidr: config.default_vpc_cidr,
            ..Default::default()
        };
        let ec2 = Ec2::new(store.clone(), clock.clone(), options)
            .await
            .context("starting ec2")?;
        dispatcher.register(Arc::new(roadstead_api_ec2::Server(ec2.clone())));
        let ecs = Arc::new(Ecs::new(roadstead_ecs::Parts {
            store,
            clock,
            dispatcher: dispatcher.clone(),
            maps: ec2.clone(),
            options: roadstead_ecs::Options::default(),
        }));
        dispatcher.register(Arc::new(roadstead_api_ecs::Server(ecs.clone())));
        dispatcher.mount(roadstead_ecs::ACS_PATH, "ecs", ecs.acs());
        let running = ecs.start().await.context("starting ecs")?;
        let (stop, _) = watch::channel(false);
        Ok(Self {
            dispatcher,
            ec2,
            ecs: running,
            listeners: JoinSet::new(),
            stop,
        })
    }

    /// Takes requests on a socket until [`Plane::stop`].
    pub(crate) fn serve(&mut self, listener: Listener) {
        self.listeners
            .spawn(listener.serve(self.dispatcher.clone(), self.stop.subscribe()));
    }

    /// A key for this process's own node.
    pub(crate) fn node_key(&self, account: &AccountId) -> Result<NodeKey> {
        let access_key = format!("RSNODE{}", random_hex(14).to_uppercase());
        let secret_key: String = random_bytes::<20>()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = IssuedKey {
            secret: secret_key.clone(),
            account: account.clone(),
            caller: Caller::Node,
        };
        self.dispatcher.credentials().issue(&access_key, key);
        Ok(NodeKey {
            access_key,
            secret_key,
        })
    }

    /// The default VPC of the node's account and region, unless its owner deleted it.
    pub(crate) async fn default_vpc(&self, config: &UpConfig) -> Result<Option<DefaultVpc>> {
        let partition = Partition {
            account: config.account.clone(),
            region: config.region.clone(),
        };
        Ok(self.ec2.ensure_default_vpc(&partition).await?)
    }

    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        self.ecs.stop().await;
        while self.listeners.join_next().await.is_some() {}
    }
}

async fn open(config: &UpConfig) -> Result<(Arc<dyn Store>, [u8; 32])> {
    if config.ephemeral {
        return Ok((
            Arc::new(Embedded::in_memory(roadstead_store::Options::default())?),
            random_bytes()?,
        ));
    }
    let path = place::store(&config.data);
    let store = open_disk(&path)
        .await
        .with_context(|| format!("opening the store {}", path.display()))?;
    Ok((store, place::page_key(&config.data)?))
}

async fn open_disk(path: &Path) -> Result<Arc<dyn Store>> {
    let path = path.to_owned();
    let open = move || Embedded::open(&path, roadstead_store::Options::default());
    Ok(Arc::new(tokio::task::spawn_blocking(open).await??))
}
