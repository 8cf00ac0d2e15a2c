//! The control plane put together: store, gate, services, listener.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use roadstead_base::{Caller, Pager, Partition, SharedClock, random_bytes};
use roadstead_dispatch::{Dispatcher, IssuedKey, Listener};
use roadstead_ec2::{DefaultVpc, Ec2};
use roadstead_ecs::Ecs;
use roadstead_store::{Embedded, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::certificates::Certificates;
use crate::config::UpConfig;
use crate::place::{self, NodeKey};

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

    /// Keeps the certificate that listeners show up to date until [`Plane::stop`].
    pub(crate) fn keep(&mut self, certificates: Certificates) {
        self.listeners.spawn(certificates.keep(self.stop.subscribe()));
    }

    /// Lets nodes sign with the key of this data folder.
    pub(crate) fn node_key(&self, config: &UpConfig) -> Result<NodeKey> {
        let key = place::node_key(&config.data)?;
        let issued = IssuedKey {
            secret: key.secret_key.clone(),
            account: config.account.clone(),
            caller: Caller::Node,
        };
        self.dispatcher.credentials().issue(&key.access_key, issued);
        Ok(key)
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
