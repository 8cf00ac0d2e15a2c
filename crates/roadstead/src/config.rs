//! One set of options for `up`: each from a flag, else the environment, else a TOML file, else a default.
//! The file has the flags' long names as keys.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ipnet::Ipv4Net;
use roadstead_base::{AccountId, Region};
use roadstead_image::Mirror;
use serde::Deserialize;

use crate::images::{self, ImageArgs};
use crate::place;
use crate::store::{Choice, Files, choose};
use crate::users::{Users, check_users};

pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:4566";
pub(crate) const DEFAULT_DATA: &str = "/var/lib/roadstead";
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
pub(crate) const DEFAULT_ACCOUNT: &str = "000000000000";
pub(crate) const DEFAULT_VPC_CIDR: &str = "172.31.0.0/16";

/// Options of `roadstead up`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct UpArgs {
    /// TOML file with any of these options, by their long names
    #[arg(long, env = "ROADSTEAD_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address of the API; a loopback address [default: 127.0.0.1:4566]
    #[arg(long, env = "ROADSTEAD_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// A further address of the API, for other machines: only keys that Roadstead issued count there, over TLS;
    /// repeatable
    #[arg(
        long,
        env = "ROADSTEAD_LISTEN_PUBLIC",
        value_delimiter = ',',
        value_name = "ADDRESS:PORT"
    )]
    pub listen_public: Option<Vec<SocketAddr>>,
    /// Speak plain HTTP on the public addresses, as when something before them ends TLS
    #[arg(long, env = "ROADSTEAD_PUBLIC_WITHOUT_TLS", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub public_without_tls: Option<bool>,
    /// Speak TLS on the loopback address too, beside plain HTTP
    #[arg(long, env = "ROADSTEAD_TLS", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub tls: Option<bool>,
    /// Certificate to show, with those between it and its authority, in PEM; read again when it changes [default: one
    /// signed by an authority of the data folder's own, DATA/tls/ca.pem]
    #[arg(long, env = "ROADSTEAD_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, env = "ROADSTEAD_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// A further name or address in the certificate that Roadstead makes; repeatable [default: localhost, the
    /// machine's name, and the addresses listened on]
    #[arg(long, env = "ROADSTEAD_TLS_NAME", value_delimiter = ',', value_name = "NAME")]
    pub tls_name: Option<Vec<String>>,
    /// Folder for state, images, logs and volumes [default: /var/lib/roadstead]
    #[arg(long, env = "ROADSTEAD_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// File with a record of every call, one line of JSON each, in CloudTrail's form; at most 32 MiB and one
    /// predecessor with .1 behind its name [default: DATA/audit.jsonl]
    #[arg(long, env = "ROADSTEAD_AUDIT_LOG", value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// Where records are kept: disk, memory (as --ephemeral), or an etcd from 3.4 on, as
    /// etcd://HOST:PORT,HOST:PORT/PREFIX, over TLS as etcds:// [default: disk]
    #[arg(long, env = "ROADSTEAD_STORE", value_name = "STORE")]
    pub store: Option<String>,
    /// Certificates, in PEM, of the authority that etcd's members' are signed by; needed for etcds://
    #[arg(long, env = "ROADSTEAD_STORE_CA", value_name = "FILE")]
    pub store_ca: Option<PathBuf>,
    /// Certificate to show etcd, in PEM
    #[arg(long, env = "ROADSTEAD_STORE_CERT", value_name = "FILE")]
    pub store_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, env = "ROADSTEAD_STORE_KEY", value_name = "FILE")]
    pub store_key: Option<PathBuf>,
    /// Keep nothing: state in memory, and tasks end with the daemon
    #[arg(long, env = "ROADSTEAD_EPHEMERAL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub ephemeral: Option<bool>,
    /// Region of the node and of its default VPC [default: us-east-1]
    #[arg(long, env = "ROADSTEAD_REGION")]
    pub region: Option<Region>,
    /// Account of unknown keys on the loopback listener, and of the node; 12 digits [default: 000000000000]
    #[arg(long, env = "ROADSTEAD_ACCOUNT")]
    pub account: Option<AccountId>,
    /// Cluster this node is an instance of; repeatable, created when absent [default: default]
    #[arg(long, env = "ROADSTEAD_CLUSTER", value_delimiter = ',', value_name = "NAME")]
    pub cluster: Option<Vec<String>>,
    /// CIDR of the default VPC, /16 to /24 [default: 172.31.0.0/16]
    #[arg(long, env = "ROADSTEAD_DEFAULT_VPC_CIDR", value_name = "CIDR")]
    pub default_vpc_cidr: Option<Ipv4Net>,
    /// Do not give this machine a way into the default VPC
    #[arg(long, env = "ROADSTEAD_NO_HOST_ATTACHMENT", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub no_host_attachment: Option<bool>,
    /// Pull images of a registry from elsewhere, as docker.io=http://127.0.0.1:5000; repeatable
    #[arg(
        long,
        env = "ROADSTEAD_REGISTRY_MIRROR",
        value_delimiter = ',',
        value_name = "REGISTRY=URL"
    )]
    pub registry_mirror: Option<Vec<String>>,
    #[command(flatten)]
    #[serde(flatten)]
    pub images: ImageArgs,
    /// How many tasks with an interface of their own this node holds [default: 120]
    #[arg(long, env = "ROADSTEAD_ENI_SLOTS", value_name = "COUNT")]
    pub eni_slots: Option<u32>,
    /// Run privileged containers and ones without a system call filter: whoever may run tasks owns this machine then
    #[arg(long, env = "ROADSTEAD_ALLOW_PRIVILEGED", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub allow_privileged: Option<bool>,
    /// Make root and all other users of containers ordinary users of this machine, COUNT of them from FIRST on
    #[arg(long, env = "ROADSTEAD_USERNS", value_name = "FIRST:COUNT")]
    pub userns: Option<Users>,
    /// Let callers without a key of Roadstead's use the API from inside tasks, as the account's root
    #[arg(long, env = "ROADSTEAD_OPEN_TASK_API", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub open_task_api: Option<bool>,
    /// Where the runtimes of functions are, as `roadstead runtime install` prepared them [default: DATA/runtimes]
    #[arg(long, env = "ROADSTEAD_RUNTIMES", value_name = "FOLDER")]
    pub runtimes: Option<PathBuf>,
    /// Memory, in MB, that functions may have together [default: half of the machine's]
    #[arg(long, env = "ROADSTEAD_FUNCTION_MEMORY", value_name = "MB")]
    pub function_memory: Option<u64>,
}

/// The same, settled.
#[derive(Clone, Debug)]
pub(crate) struct UpConfig {
    pub listen: SocketAddr,
    pub public: Vec<SocketAddr>,
    pub public_without_tls: bool,
    /// On the loopback listener.
    pub tls: bool,
    pub certificate: Certificate,
    pub data: PathBuf,
    pub store: Choice,
    pub ephemeral: bool,
    pub region: Region,
    pub account: AccountId,
    pub clusters: Vec<String>,
    pub default_vpc_cidr: Ipv4Net,
    pub host_attachment: bool,
    pub registry_mirrors: Vec<Mirror>,
    pub images: images::Settled,
    pub eni_slots: u32,
    pub allow_privileged: bool,
    pub users: Option<Users>,
    pub open_task_api: bool,
    pub runtimes: PathBuf,
    /// None: as much as is usual.
    pub function_memory: Option<u64>,
    pub audit_log: PathBuf,
}

/// Which certificate TLS shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// The operator's.
    Given { chain: PathBuf, key: PathBuf },
    /// One of Roadstead's own, with these names besides the usual ones.
    Own { names: Vec<String> },
}

/// `docker.io=http://127.0.0.1:5000`
pub(crate) fn mirror(text: &str) -> Result<Mirror> {
    match text.split_once('=') {
        Some((registry, url)) => Ok(Mirror::new(registry, url)?),
        None => bail!("{text:?} is not REGISTRY=URL, such as docker.io=http://127.0.0.1:5000"),
    }
}

impl UpArgs {
    /// Flags and environment over the file over the defaults.
    pub(crate) fn settle(self) -> Result<UpConfig> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        let fixed = |text: &str| text.to_owned();
        let listen = match self.listen.or(file.listen) {
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse()?,
        };
        if !listen.ip().is_loopback() {
            bail!(
                "--listen {listen} is not a loopback address: unknown keys are root on this listener, so it must not \
                 be reachable from elsewhere"
            );
        }
        let public = self.listen_public.or(file.listen_public).unwrap_or_default();
        let public_without_tls = self
            .public_without_tls
            .or(file.public_without_tls)
            .unwrap_or_default();
        if public_without_tls && public.is_empty() {
            bail!("--public-without-tls is about addresses of --listen-public, and there is none");
        }
        let given = (self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key));
        let names = self.tls_name.or(file.tls_name).unwrap_or_default();
        let tls = self.tls.or(file.tls).unwrap_or_default();
        let certificate = certificate(given, names)?;
        if !tls && (public.is_empty() || public_without_tls) && certificate != Certificate::NONE {
            bail!(
                "--tls-cert, --tls-key and --tls-name have no listener to be for: add --tls or --listen-public"
            );
        }
        let store = self.store.or(file.store);
        let files = Files {
            ca: self.store_ca.or(file.store_ca),
            certificate: self.store_cert.or(file.store_cert),
            key: self.store_key.or(file.store_key),
        };
        let store = choose(store.as_deref(), self.ephemeral.or(file.ephemeral), files)?;
        let clusters = self
            .cluster
            .or(file.cluster)
            .unwrap_or_else(|| vec![fixed("default")]);
        let mirrors = self.registry_mirror.or(file.registry_mirror).unwrap_or_default();
        let default_vpc_cidr = match self.default_vpc_cidr.or(file.default_vpc_cidr) {
            Some(cidr) => cidr,
            None => DEFAULT_VPC_CIDR.parse()?,
        };
        if !(16..=24).contains(&default_vpc_cidr.prefix_len()) || default_vpc_cidr.trunc() != default_vpc_cidr
        {
            bail!(
                "--default-vpc-cidr {default_vpc_cidr} must be a network of /16 to /24 with no host bits set"
            );
        }
        let eni_slots = self.eni_slots.or(file.eni_slots).unwrap_or(120);
        if !(1..=2000).contains(&eni_slots) {
            bail!("--eni-slots {eni_slots} must be between 1 and 2000");
        }
        let allow_privileged = self
            .allow_privileged
            .or(file.allow_privileged)
            .unwrap_or_default();
        let users = self.userns.or(file.userns);
        check_users(users, allow_privileged)?;
        let data = self
            .data
            .or(file.data)
            .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        // What is mounted into sandboxes has to be named from the root.
        let data = std::path::absolute(data).context("--data")?;
        let runtimes = self
            .runtimes
            .or(file.runtimes)
            .unwrap_or_else(|| place::runtimes(&data));
        Ok(UpConfig {
            listen,
            public,
            public_without_tls,
            tls,
            certificate,
            audit_log: self
                .audit_log
                .or(file.audit_log)
                .unwrap_or_else(|| data.join("audit.jsonl")),
            runtimes: std::path::absolute(runtimes).context("--runtimes")?,
            function_memory: self.function_memory.or(file.function_memory),
            data,
            ephemeral: matches!(store, Choice::Memory),
            store,
            region: match self.region.or(file.region) {
                Some(region) => region,
                None => DEFAULT_REGION.parse()?,
            },
            account: match self.account.or(file.account) {
                Some(account) => account,
                None => DEFAULT_ACCOUNT.parse()?,
            },
            clusters,
            default_vpc_cidr,
            host_attachment: !self
                .no_host_attachment
                .or(file.no_host_attachment)
                .unwrap_or_default(),
            images: self.images.or(file.images).settle()?,
            registry_mirrors: mirrors.iter().map(|text| mirror(text)).collect::<Result<_>>()?,
            eni_slots,
            allow_privileged,
            users,
            open_task_api: self.open_task_api.or(file.open_task_api).unwrap_or_default(),
        })
    }
}

impl Certificate {
    const NONE: Self = Self::Own { names: Vec::new() };
}

fn certificate(given: (Option<PathBuf>, Option<PathBuf>), names: Vec<String>) -> Result<Certificate> {
    match given {
        (Some(_), Some(_)) if !names.is_empty() => {
            bail!(
                "--tls-name is for the certificate that Roadstead makes; the one of --tls-cert has its names"
            )
        }
        (Some(chain), Some(key)) => Ok(Certificate::Given { chain, key }),
        (None, None) => Ok(Certificate::Own { names }),
        (Some(_), None) => bail!("--tls-cert wants its --tls-key"),
        (None, Some(_)) => bail!("--tls-key wants its --tls-cert"),
    }
}

fn read(path: &Path) -> Result<UpArgs> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_of_images_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("roadstead.toml");
        std::fs::write(
            &file,
            "image-store-limit = \"20GB\"\nimage-pull-behavior = \"once\"\n",
        )
        .expect("written");
        let args = read(&file).expect("a file");
        assert_eq!(args.images.registries.image_store_limit.as_deref(), Some("20GB"));
        assert_eq!(args.images.image_pull_behavior.as_deref(), Some("once"));
        std::fs::write(&file, "image-store-limits = \"20GB\"\n").expect("written");
        let error = format!("{:#}", read(&file).expect_err("no such option"));
        assert!(error.contains("image-store-limits"), "{error}");
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_defaults() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("roadstead.toml");
        std::fs::write(
            &file,
            "region = \"eu-west-1\"\ncluster = [\"a\", \"b\"]\nephemeral = true\n",
        )
        .expect("written");
        let args = UpArgs {
            config: Some(file),
            region: Some("edge-1".parse().expect("a region")),
            ..UpArgs::default()
        };
        let config = args.settle().expect("settles");
        assert_eq!(config.region.as_str(), "edge-1");
        assert_eq!(config.clusters, ["a", "b"]);
        assert!(config.ephemeral);
        assert_eq!(config.listen.to_string(), DEFAULT_LISTEN);
    }

    #[test]
    fn folders_are_named_from_the_root() {
        let here = std::env::current_dir().expect("a folder");
        let args = UpArgs {
            data: Some("data".into()),
            ..UpArgs::default()
        };
        let config = args.settle().expect("settles");
        assert_eq!(config.data, here.join("data"));
        assert_eq!(config.runtimes, here.join("data/runtimes"));
        let args = UpArgs {
            runtimes: Some("prepared".into()),
            ..UpArgs::default()
        };
        assert_eq!(args.settle().expect("settles").runtimes, here.join("prepared"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("roadstead.toml");
        for (text, named) in [
            ("listne = \"x\"", "listne"),
            ("listen = \"0.0.0.0:4566\"", "--listen"),
            ("default-vpc-cidr = \"10.0.0.0/8\"", "--default-vpc-cidr"),
            ("registry-mirror = [\"docker.io\"]", "REGISTRY=URL"),
            ("account = \"12\"", "account"),
            ("eni-slots = 0", "--eni-slots"),
            ("image-cleanup-interval = \"1m\"", "--image-cleanup-interval"),
            ("userns = \"0:65536\"", "FIRST:COUNT"),
            ("userns = \"100000:1000\"", "FIRST:COUNT"),
            ("userns = \"4294967295:65536\"", "FIRST:COUNT"),
            (
                "userns = \"100000:65536\"\nallow-privileged = true",
                "--allow-privileged",
            ),
            ("store = \"http://a\"", "--store"),
            ("store = \"etcd://a\"\nephemeral = true", "--ephemeral"),
            ("store = \"etcd://a\"\nstore-ca = \"ca\"", "--store-ca"),
            ("public-without-tls = true", "--listen-public"),
            ("tls-cert = \"a\"", "--tls-key"),
            ("tls-key = \"a\"", "--tls-cert"),
            ("tls-name = [\"a\"]", "--tls"),
            (
                "tls = true\ntls-name = [\"a\"]\ntls-cert = \"a\"\ntls-key = \"b\"",
                "--tls-name",
            ),
            (
                "listen-public = [\"0.0.0.0:443\"]\npublic-without-tls = true\ntls-cert = \"a\"\ntls-key = \"b\"",
                "no listener",
            ),
        ] {
            std::fs::write(&file, text).expect("written");
            let error = UpArgs {
                config: Some(file.clone()),
                ..UpArgs::default()
            }
            .settle()
            .expect_err(text);
            assert!(format!("{error:#}").contains(named), "{text}: {error:#}");
        }
    }
}
