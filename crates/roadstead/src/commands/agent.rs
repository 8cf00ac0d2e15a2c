//! A node that joins a control plane elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use roadstead_agent::api::Credentials;
use roadstead_agent::node::Agent;
use roadstead_image::Mirror;

use crate::config::{DEFAULT_DATA, DEFAULT_REGION, mirror};
use crate::images::ImageArgs;
use crate::node::options;
use crate::place::Claim;
use crate::signals::{Ending, Signals};
use crate::users::{Users, check_users};

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Base URL of the control plane's API
    #[arg(long, env = "ROADSTEAD_BACKEND", value_name = "URL")]
    backend: String,
    /// Certificates in PEM that the control plane's is signed by, as its DATA/tls/ca.pem [default: those that this
    /// machine trusts]
    #[arg(long, env = "ROADSTEAD_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Access key the node registers with
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "KEY")]
    access_key: String,
    /// Its secret
    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true
    )]
    secret_key: String,
    /// Cluster to be an instance of; repeatable
    #[arg(
        long,
        env = "ROADSTEAD_CLUSTER",
        value_delimiter = ',',
        default_value = "default",
        value_name = "NAME"
    )]
    cluster: Vec<String>,
    #[arg(long, env = "ROADSTEAD_REGION", default_value = DEFAULT_REGION)]
    region: String,
    /// Zone the node is in [default: the region's a]
    #[arg(long, env = "ROADSTEAD_AVAILABILITY_ZONE", value_name = "ZONE")]
    availability_zone: Option<String>,
    /// VPC the node is in: awsvpc tasks of launch type EC2 run in subnets of it
    #[arg(long, env = "ROADSTEAD_VPC", default_value = "", value_name = "VPC")]
    vpc: String,
    /// Subnet the node is in
    #[arg(long, env = "ROADSTEAD_SUBNET", default_value = "", value_name = "SUBNET")]
    subnet: String,
    /// How many tasks with an interface of their own this node holds
    #[arg(
        long,
        env = "ROADSTEAD_ENI_SLOTS",
        default_value_t = 120,
        value_name = "COUNT"
    )]
    eni_slots: u32,
    /// Run privileged containers and ones without a system call filter: whoever may run tasks owns this machine then
    #[arg(long, env = "ROADSTEAD_ALLOW_PRIVILEGED", num_args = 0..=1, default_value_t = false, default_missing_value = "true", require_equals = true)]
    allow_privileged: bool,
    /// Make root and all other users of containers ordinary users of this machine, COUNT of them from FIRST on
    #[arg(long, env = "ROADSTEAD_USERNS", value_name = "FIRST:COUNT")]
    userns: Option<Users>,
    /// Pull images of a registry from elsewhere, as docker.io=http://127.0.0.1:5000; repeatable
    #[arg(long, env = "ROADSTEAD_REGISTRY_MIRROR", value_delimiter = ',', value_parser = mirror, value_name = "REGISTRY=URL")]
    registry_mirror: Vec<Mirror>,
    #[command(flatten)]
    images: ImageArgs,
    /// Folder for state, images, logs and volumes
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER")]
    data: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    check_users(args.userns, args.allow_privileged)?;
    let images = args.images.settle()?;
    let mut signals = Signals::listen()?;
    let claim = Claim::take(&args.data)?;
    let credentials = Credentials {
        access_key: args.access_key,
        secret_key: args.secret_key,
    };
    let mut node = options(&args.data, &args.backend, credentials, &args.registry_mirror)?;
    node.availability_zone = args
        .availability_zone
        .unwrap_or_else(|| format!("{}a", args.region));
    node.region = args.region;
    node.vpc_id = args.vpc;
    node.subnet_id = args.subnet;
    node.clusters = args.cluster;
    node.ca = args.ca;
    node.fargate = false;
    node.eni_slots = args.eni_slots;
    images.apply(&mut node);
    node.allow_privileged = args.allow_privileged;
    node.users = args.userns.map(|Users { first, count }| (first, count));
    // Nothing listens for the API in this node's own network yet: tasks are not told of one.
    node.task_endpoint = None;
    node.host_endpoint = Some(args.backend);
    let node = Agent::start(node).await?;
    node.connected(PATIENCE)
        .await
        .context("joining the control plane")?;
    println!("ready: node {}", node.instance_id());
    match signals.ending().await {
        Ending::Detach => node.detach().await,
        Ending::Down => node.stop_all().await?,
    }
    drop(claim);
    Ok(())
}
