//! The exports that point AWS clients at this Roadstead, or an agent on another machine.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::config::{Certificate, UpArgs, UpConfig};
use crate::place;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The exports for `roadstead agent` on a machine that joins: they hold the nodes' secret key
    #[arg(long)]
    agent: bool,
    #[command(flatten)]
    up: UpArgs,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let config = args.up.clone().settle()?;
    let exports = if args.agent {
        agent(&config)?
    } else {
        clients(&config)
    };
    let mut out = std::io::stdout().lock();
    for (name, value) in exports {
        writeln!(out, "export {name}={value}")?;
    }
    Ok(())
}

type Exports = Vec<(&'static str, String)>;

fn clients(config: &UpConfig) -> Exports {
    let listen = config.listen;
    // The operator's certificate has names that only the operator knows; plain HTTP is there too.
    let own = config.tls && matches!(config.certificate, Certificate::Own { .. });
    let scheme = if own { "https" } else { "http" };
    // The access key names the account; any secret will do on the loopback listener.
    let mut exports = vec![
        ("AWS_ENDPOINT_URL", format!("{scheme}://{listen}")),
        // Clients put `sync-` and the like before the host for some operations, which an address cannot have.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".to_owned()),
        ("AWS_DEFAULT_REGION", config.region.to_string()),
        ("AWS_REGION", config.region.to_string()),
        ("AWS_ACCESS_KEY_ID", config.account.to_string()),
        ("AWS_SECRET_ACCESS_KEY", "roadstead".to_owned()),
    ];
    if own {
        exports.push(("AWS_CA_BUNDLE", shown(&place::authority(&config.data))));
    }
    exports
}

fn agent(config: &UpConfig) -> Result<Exports> {
    let Some(address) = config.public.first() else {
        bail!(
            "other machines need an address to join at: name it with --listen-public, as for `roadstead up`"
        );
    };
    if place::known_instance(&config.data)?.is_none() {
        bail!(
            "no Roadstead has run on {} yet: `roadstead up` first",
            config.data.display()
        );
    }
    let key = place::node_key(&config.data)?;
    let host = match (&config.certificate, address.ip()) {
        (Certificate::Own { names }, _) if !names.is_empty() => names[0].clone(),
        (_, ip) if !ip.is_unspecified() => return Ok(joining(config, &address.to_string(), key)),
        _ => nix::unistd::gethostname()?
            .into_string()
            .ok()
            .context("this machine's name is no text: give one with --tls-name")?,
    };
    Ok(joining(config, &format!("{host}:{}", address.port()), key))
}

fn joining(config: &UpConfig, authority: &str, key: place::NodeKey) -> Exports {
    let scheme = if config.public_without_tls {
        "http"
    } else {
        "https"
    };
    let mut exports = vec![
        ("ROADSTEAD_BACKEND", format!("{scheme}://{authority}")),
        ("ROADSTEAD_REGION", config.region.to_string()),
        ("AWS_ACCESS_KEY_ID", key.access_key),
        ("AWS_SECRET_ACCESS_KEY", key.secret_key),
    ];
    let own = matches!(config.certificate, Certificate::Own { .. });
    if own && !config.public_without_tls {
        exports.push(("ROADSTEAD_CA", shown(&place::authority(&config.data))));
    }
    exports
}

/// As a shell reads it.
fn shown(path: &std::path::Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    let text = whole.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
