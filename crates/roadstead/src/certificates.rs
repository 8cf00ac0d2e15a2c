//! The certificate that listeners show: the operator's own, or one that an authority of this data folder signs.
//! Kept up to date while the daemon runs: files are read again when they change, and a certificate of our own is
//! made anew long before it ends.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use roadstead_base::{SharedClock, Timestamp};
use roadstead_dispatch::Tls;
use tokio::sync::watch;

use crate::config::{Certificate, UpConfig};
use crate::place;

const DAY: i64 = 24 * 60 * 60 * 1000;
const AUTHORITY_DAYS: i64 = 10 * 365;
const CERTIFICATE_DAYS: i64 = 90;
/// The age at which a certificate of our own is replaced.
const RENEW_DAYS: i64 = 60;
/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Names in a certificate, on a machine with ever so many addresses.
const MAX_NAMES: usize = 100;

/// In PEM.
#[derive(Clone, PartialEq, Eq)]
struct Pair {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// What is shown, and where it comes from.
pub(crate) struct Certificates {
    tls: Arc<Tls>,
    shown: Pair,
    made: Timestamp,
    config: UpConfig,
    clock: SharedClock,
}

impl Certificates {
    /// Nothing, where no listener speaks TLS.
    pub(crate) fn of(config: &UpConfig, clock: &SharedClock) -> Result<Option<Self>> {
        if !config.tls && (config.public.is_empty() || config.public_without_tls) {
            return Ok(None);
        }
        let made = clock.now();
        let shown = pair(config, made)?;
        let tls = Tls::new(&shown.chain, &shown.key).context("setting up TLS")?;
        Ok(Some(Self {
            tls: Arc::new(tls),
            shown,
            made,
            config: config.clone(),
            clock: clock.clone(),
        }))
    }

    pub(crate) fn tls(&self) -> Arc<Tls> {
        self.tls.clone()
    }

    /// Until `stop` turns true.
    pub(crate) async fn keep(mut self, mut stop: watch::Receiver<bool>) {
        let mut refused = None;
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop))
            .await
            .is_err()
        {
            self.look(&mut refused);
        }
    }

    /// Shows what is there now, if it is another than what is shown. What cannot be used is told once.
    fn look(&mut self, refused: &mut Option<String>) {
        let now = self.clock.now();
        let own = matches!(self.config.certificate, Certificate::Own { .. });
        if own && now < self.made.plus_millis(RENEW_DAYS * DAY) {
            return;
        }
        let next = pair(&self.config, now).and_then(|next| {
            if next != self.shown {
                self.tls.replace(&next.chain, &next.key)?;
                tracing::info!("the certificate of the listeners was replaced");
            }
            Ok(next)
        });
        match next {
            Ok(next) => {
                (self.shown, self.made) = (next, now);
                *refused = None;
            }
            Err(error) => {
                let text = format!("{error:#}");
                if refused.as_ref() != Some(&text) {
                    tracing::warn!(
                        error = text,
                        "the certificate cannot be replaced; the one before is shown further"
                    );
                }
                *refused = Some(text);
            }
        }
    }
}

fn pair(config: &UpConfig, now: Timestamp) -> Result<Pair> {
    match &config.certificate {
        Certificate::Given { chain, key } => {
            let read =
                |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
            Ok(Pair {
                chain: read(chain)?,
                key: read(key)?,
            })
        }
        Certificate::Own { names } => {
            let mut all: BTreeSet<String> = names.iter().cloned().collect();
            all.extend(usual_names(config));
            issue(&config.data, all.into_iter().take(MAX_NAMES).collect(), now)
        }
    }
}

/// What clients may call this machine.
fn usual_names(config: &UpConfig) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let own = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    names.extend(own.filter(|name| !name.is_empty()));
    let listened = std::iter::once(&config.listen).chain(&config.public);
    names.extend(
        listened
            .clone()
            .filter(|at| !at.ip().is_unspecified())
            .map(|at| at.ip().to_string()),
    );
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    if listened.clone().any(|at| at.ip().is_unspecified()) {
        names.extend(addresses());
    }
    names
}

/// Addresses of the machine's interfaces that others can reach.
fn addresses() -> Vec<String> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let storages = interfaces.filter_map(|interface| interface.address);
    storages
        .filter_map(|storage| {
            let v4 = storage.as_sockaddr_in().map(|at| std::net::IpAddr::from(at.ip()));
            v4.or_else(|| {
                storage
                    .as_sockaddr_in6()
                    .map(|at| std::net::IpAddr::from(at.ip()))
            })
        })
        .filter(|address| match address {
            std::net::IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            std::net::IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        })
        .map(|address| address.to_string())
        .collect()
}

/// A certificate with a key of its own, signed by the data folder's authority, which is made if there is none.
fn issue(data: &Path, names: Vec<String>, now: Timestamp) -> Result<Pair> {
    let authority = authority(data, now)?;
    let mut params = CertificateParams::new(names).context("a name in the certificate")?;
    params.distinguished_name.push(DnType::CommonName, "Roadstead");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, CERTIFICATE_DAYS)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok(Pair {
        chain: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
    })
}

fn authority(data: &Path, now: Timestamp) -> Result<Issuer<'static, KeyPair>> {
    let path = place::authority(data);
    let key_path = path.with_file_name("ca-key.pem");
    let mut params = CertificateParams::default();
    // The data folder's own, so that clients can tell authorities apart.
    let name = format!("Roadstead {}", place::instance(data)?);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, AUTHORITY_DAYS)?;
    match std::fs::read_to_string(&key_path) {
        Ok(text) => {
            if !path.exists() {
                bail!(
                    "{} is missing beside its key: remove both for a new authority",
                    path.display()
                );
            }
            let key = KeyPair::from_pem(&text).with_context(|| format!("reading {}", key_path.display()))?;
            Ok(Issuer::new(params, key))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = data.join("tls");
            std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
            let key = KeyPair::generate()?;
            let certificate = params.self_signed(&key)?;
            // The key last: where it is, the rest is too.
            place::durable(&path, certificate.pem().as_bytes())?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
                .with_context(|| format!("letting everybody read {}", path.display()))?;
            place::durable(&key_path, key.serialize_pem().as_bytes())?;
            Ok(Issuer::new(params, key))
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", key_path.display())),
    }
}

/// Good from the day before, for clocks that are behind, until that many days from now.
fn valid(params: &mut CertificateParams, now: Timestamp, days: i64) -> Result<()> {
    let day = |days: i64| -> Result<_> {
        let text = now.plus_millis(days * DAY).to_rfc3339();
        let mut parts = text.split(['-', 'T']).map(str::parse::<u16>);
        let mut part = || parts.next().and_then(Result::ok).context("a date");
        let (year, month, day) = (part()?, part()?, part()?);
        Ok(rcgen::date_time_ymd(
            year.into(),
            u8::try_from(month)?,
            u8::try_from(day)?,
        ))
    };
    (params.not_before, params.not_after) = (day(-1)?, day(days)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use roadstead_base::{Clock, ManualClock};

    use super::*;
    use crate::config::UpArgs;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn config(data: &Path, certificate: Certificate) -> UpConfig {
        let args = UpArgs {
            data: Some(data.to_owned()),
            tls: Some(true),
            ..UpArgs::default()
        };
        let mut config = args.settle().expect("settles");
        config.certificate = certificate;
        config
    }

    fn own(data: &Path) -> UpConfig {
        config(
            data,
            Certificate::Own {
                names: vec!["cloud.example".into()],
            },
        )
    }

    fn start(config: &UpConfig, clock: &Arc<ManualClock>) -> Certificates {
        let clock: SharedClock = clock.clone();
        let made = Certificates::of(config, &clock).expect("a certificate");
        made.expect("a listener speaks TLS")
    }

    #[test]
    fn the_authority_stays_while_its_certificates_come_and_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(NOW));
        let mut first = start(&own(folder.path()), &clock);
        let authority = std::fs::read(place::authority(folder.path())).expect("readable");
        let shown = first.shown.chain.clone();
        let mut refused = None;
        first.look(&mut refused);
        assert_eq!(first.shown.chain, shown, "nothing is made anew before its time");
        clock.advance(RENEW_DAYS * DAY);
        first.look(&mut refused);
        assert_ne!(first.shown.chain, shown);
        assert_eq!((first.made, refused), (clock.now(), None));

        let again = start(&own(folder.path()), &clock);
        assert_ne!(again.shown.chain, shown);
        let after = std::fs::read(place::authority(folder.path())).expect("readable");
        assert_eq!(after, authority, "clients keep the authority they know");
        let mode = |name: &str| {
            let file = std::fs::metadata(folder.path().join("tls").join(name)).expect("there");
            file.permissions().mode() & 0o777
        };
        assert_eq!((mode("ca.pem"), mode("ca-key.pem")), (0o644, 0o600));
        std::fs::remove_file(place::authority(folder.path())).expect("removed");
        let clock: SharedClock = clock;
        assert!(
            Certificates::of(&own(folder.path()), &clock).is_err(),
            "half an authority"
        );
    }

    #[test]
    fn the_operators_files_are_read_again_and_bad_ones_change_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(NOW));
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let write = |pair: &Pair| {
            std::fs::write(&chain, &pair.chain).expect("written");
            std::fs::write(&key, &pair.key).expect("written");
        };
        let make = || issue(folder.path(), vec!["cloud.example".into()], NOW).expect("made");
        let (one, two) = (make(), make());
        write(&one);
        let given = Certificate::Given {
            chain: chain.clone(),
            key: key.clone(),
        };
        let mut certificates = start(&config(folder.path(), given), &clock);
        let mut refused = None;
        for (found, shown, told) in [
            (&one, &one, false),
            (&two, &two, false),
            (
                // As when only one of the two files has been replaced yet.
                &Pair {
                    chain: one.chain.clone(),
                    key: two.key.clone(),
                },
                &two,
                true,
            ),
            (&one, &one, false),
        ] {
            write(found);
            certificates.look(&mut refused);
            assert!(certificates.shown == *shown);
            assert_eq!(refused.is_some(), told, "{refused:?}");
        }
        std::fs::remove_file(&key).expect("removed");
        certificates.look(&mut refused);
        assert!(refused.expect("told").contains("key.pem"));
    }

    #[test]
    fn without_a_listener_that_needs_one_nothing_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = own(folder.path());
        config.tls = false;
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        assert!(Certificates::of(&config, &clock).expect("fine").is_none());
        assert!(!folder.path().join("tls").exists());
    }
}
