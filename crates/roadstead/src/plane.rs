//! The control plane put together: store, gate, services, listener.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use roadstead_base::{Caller, Pager, Partition, SharedClock};
use roadstead_cloudwatch::{CloudWatch, CloudWatchPermissions};
use roadstead_dispatch::{AuditLog, Dispatcher, IssuedKey, Listener};
use roadstead_ec2::{DefaultVpc, Ec2, Ec2Permissions};
use roadstead_ecs::{Ecs, EcsPermissions};
use roadstead_events::{Events, EventsPermissions, Trail};
use roadstead_iam::{Iam, IamPermissions};
use roadstead_lambda::{Lambda, LambdaPermissions};
use roadstead_logs::{Logs, LogsPermissions};
use roadstead_sandbox::Node;
use roadstead_secretsmanager::{SecretsManager, SecretsPermissions};
use roadstead_sns::{Sns, SnsPermissions};
use roadstead_sqs::{Sqs, SqsPermissions};
use roadstead_ssm::{Ssm, SsmPermissions};
use roadstead_stepfunctions::{States, StatesPermissions};
use roadstead_store::Mirror;
use roadstead_store::etcd::{Held, Holder};
use roadstead_sts::{Sts, StsPermissions};
use roadstead_volume::Volume;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::certificates::Certificates;
use crate::config::UpConfig;
use crate::exposition::{self, Exposition};
use crate::functions;
use crate::place::{self, NodeKey};
use crate::sealing;
use crate::store::{self, Opened};

/// The running control plane.
pub(crate) struct Plane {
    pub dispatcher: Arc<Dispatcher>,
    pub ec2: Arc<Ec2>,
    ecs: roadstead_ecs::Running,
    events: roadstead_events::Running,
    lambda: roadstead_lambda::Running,
    logs: roadstead_logs::Running,
    metrics: roadstead_cloudwatch::Running,
    sns: roadstead_sns::Running,
    sqs: roadstead_sqs::Running,
    states: roadstead_stepfunctions::Running,
    outbox: roadstead_outbox::Running,
    functions: Node,
    listeners: JoinSet<()>,
    stop: watch::Sender<bool>,
    held: Option<Held>,
}

impl Plane {
    pub(crate) async fn start(config: &UpConfig, clock: SharedClock) -> Result<Self> {
        let Opened {
            store,
            page_key,
            held,
        } = store::open(&config.store, &config.data).await?;
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new(page_key), config.account.clone());
        let audit = AuditLog::open(&config.audit_log).with_context(|| {
            format!(
                "opening {}: choose another file with --audit-log",
                config.audit_log.display()
            )
        })?;
        dispatcher.observe_by(Arc::new(audit));
        let iam = Iam::new(store.clone(), clock.clone(), identity_key(&page_key))
            .await
            .context("starting iam")?;
        dispatcher.register(Arc::new(roadstead_api_iam::Server(iam.clone())));
        dispatcher.guard(&roadstead_api_iam::MODEL, Arc::new(IamPermissions(iam.clone())));
        iam.ask_through(dispatcher.clone());
        dispatcher.set_authority(iam);
        let sts = Sts::new(dispatcher.clone(), clock.clone());
        dispatcher.register(Arc::new(roadstead_api_sts::Server(sts.clone())));
        dispatcher.guard(&roadstead_api_sts::MODEL, Arc::new(StsPermissions(sts)));
        let options = roadstead_ec2::Options {
            default_vpc_cidr: config.default_vpc_cidr,
            ..Default::default()
        };
        let ec2 = Ec2::new(store.clone(), clock.clone(), options)
            .await
            .context("starting ec2")?;
        dispatcher.register(Arc::new(roadstead_api_ec2::Server(ec2.clone())));
        dispatcher.guard(&roadstead_api_ec2::MODEL, Ec2Permissions::of(&ec2));
        let functions = functions::open(config, &dispatcher, clock.clone()).await?;
        let events = Events::new(roadstead_events::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_events::Options::default(),
        })
        .await
        .context("starting events")?;
        dispatcher.register(Arc::new(roadstead_api_events::Server(events.clone())));
        dispatcher.guard(&roadstead_api_events::MODEL, EventsPermissions::of(&events));
        dispatcher.observe_by(Trail::of(&events));
        let volume = volume(config).await?;
        let metrics = CloudWatch::new(roadstead_cloudwatch::Parts {
            store: store.clone(),
            volume: volume.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_cloudwatch::Options::default(),
        })
        .await
        .context("starting cloudwatch")?;
        dispatcher.register(Arc::new(roadstead_api_cloudwatch::Server(metrics.clone())));
        dispatcher.guard(
            &roadstead_api_cloudwatch::MODEL,
            CloudWatchPermissions::of(&metrics),
        );
        let sqs = Sqs::new(roadstead_sqs::Parts {
            store: store.clone(),
            volume: volume.clone(),
            clock: clock.clone(),
            key: sealing::queues_key(&config.store, &config.data)?,
            options: roadstead_sqs::Options::default(),
        })
        .await
        .context("starting sqs")?;
        dispatcher.register(Arc::new(roadstead_api_sqs::Server(sqs.clone())));
        dispatcher.guard(&roadstead_api_sqs::MODEL, SqsPermissions::of(&sqs));
        let sns = Sns::new(roadstead_sns::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_sns::Options::default(),
        })
        .await
        .context("starting sns")?;
        dispatcher.register(Arc::new(roadstead_api_sns::Server(sns.clone())));
        dispatcher.guard(&roadstead_api_sns::MODEL, SnsPermissions::of(&sns));
        let logs = Logs::new(roadstead_logs::Parts {
            store: store.clone(),
            volume: volume.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_logs::Options::default(),
        })
        .await
        .context("starting logs")?;
        dispatcher.register(Arc::new(roadstead_api_logs::Server(Arc::new(
            roadstead_logs::Server(logs.clone()),
        ))));
        dispatcher.guard(&roadstead_api_logs::MODEL, LogsPermissions::of(&logs));
        let seal = sealing::seal(&config.store, &config.data)?;
        let secrets = Arc::new(SecretsManager::new(store.clone(), clock.clone(), seal.clone()));
        dispatcher.register(Arc::new(roadstead_api_secretsmanager::Server(secrets.clone())));
        dispatcher.guard(
            &roadstead_api_secretsmanager::MODEL,
            SecretsPermissions::of(&secrets),
        );
        let ssm = Arc::new(Ssm::new(store.clone(), clock.clone(), seal));
        dispatcher.register(Arc::new(roadstead_api_ssm::Server(ssm.clone())));
        dispatcher.guard(&roadstead_api_ssm::MODEL, SsmPermissions::of(&ssm));
        let lambda = Lambda::new(roadstead_lambda::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            sandboxes: Arc::new(functions.clone()),
            folder: place::functions(&config.data),
            options: roadstead_lambda::Options::default(),
        })
        .await
        .context("starting lambda")?;
        dispatcher.register(Arc::new(roadstead_api_lambda::Server(Arc::new(
            roadstead_lambda::Server(lambda.clone()),
        ))));
        dispatcher.guard(&roadstead_api_lambda::MODEL, LambdaPermissions::of(&lambda));
        dispatcher.mount(
            roadstead_lambda::ARCHIVES_PATH,
            "lambda",
            roadstead_lambda::Archives::of(&lambda),
        );
        let states = States::new(roadstead_stepfunctions::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_stepfunctions::Options::default(),
        })
        .await
        .context("starting states")?;
        dispatcher.register(Arc::new(roadstead_api_stepfunctions::Server(states.clone())));
        dispatcher.guard(
            &roadstead_api_stepfunctions::MODEL,
            StatesPermissions::of(&states),
        );
        let ecs = Arc::new(Ecs::new(roadstead_ecs::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            maps: ec2.clone(),
            options: roadstead_ecs::Options::default(),
        }));
        dispatcher.register(Arc::new(roadstead_api_ecs::Server(ecs.clone())));
        dispatcher.guard(&roadstead_api_ecs::MODEL, EcsPermissions::of(&ecs));
        dispatcher.mount(roadstead_ecs::ACS_PATH, "ecs", ecs.acs());
        dispatcher.mount(roadstead_ecs::TCS_PATH, "ecs", ecs.tcs());
        dispatcher.mount(roadstead_ecs::USAGE_PATH, "ecs", ecs.meter());
        let exposition = Exposition {
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            store: store.clone(),
            volume,
            waiting: Mirror::of(&roadstead_outbox::table(&store)).await?,
            ecs: ecs.clone(),
            metrics: metrics.clone(),
        };
        dispatcher.mount(exposition::PATH, "monitoring", Arc::new(exposition));
        let running = ecs.start().await.context("starting ecs")?;
        let outbox = roadstead_outbox::start(&store, &dispatcher, clock)
            .await
            .context("starting to tell events")?;
        let (stop, _) = watch::channel(false);
        Ok(Self {
            dispatcher,
            ec2,
            ecs: running,
            // Last: what it delivers goes to the others.
            events: events.start(),
            lambda: lambda.start(),
            logs: logs.start(),
            metrics: metrics.start(),
            sns: sns.start(),
            sqs: sqs.start(),
            states: states.start(),
            outbox,
            functions,
            listeners: JoinSet::new(),
            stop,
            held,
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

    /// Waits until another server has taken the store; never ends while this one has it.
    pub(crate) async fn lost(&mut self) -> Holder {
        match &mut self.held {
            Some(held) => held.lost().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = self.functions.stop().await {
            tracing::warn!(%error, "something of functions is left on the machine");
        }
        self.events.stop().await;
        self.states.stop().await;
        self.ecs.stop().await;
        self.lambda.stop().await;
        self.sns.stop().await;
        self.sqs.stop().await;
        self.logs.stop().await;
        self.metrics.stop().await;
        self.outbox.stop().await;
        while self.listeners.join_next().await.is_some() {}
        if let Some(held) = self.held
            && let Err(error) = held.release().await
        {
            tracing::warn!(%error, "the next server waits until the lease of this one has run out");
        }
    }
}

/// What keys and session tokens are made with: another key than that of page tokens, and as lasting.
fn identity_key(page_key: &[u8; 32]) -> [u8; 32] {
    let owner: String = page_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let digits = roadstead_base::derived_hex(&owner, "identity", 64);
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or("00");
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    key
}

/// Where log lines and samples lie: beside the records, or, where nothing is kept, in a folder that goes when the daemon does.
async fn volume(config: &UpConfig) -> Result<Volume> {
    let folder = place::volume(&config.data);
    let options = roadstead_volume::Options {
        temporary: matches!(config.store, store::Choice::Memory),
        ..Default::default()
    };
    let opened = tokio::task::spawn_blocking(move || Volume::open(&folder, options)).await?;
    opened.context("opening the volume of log lines and samples")
}
