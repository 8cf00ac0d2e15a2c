//! The exports that point AWS clients at this Roadstead.

use std::io::Write as _;

use anyhow::Result;

use crate::config::UpArgs;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    up: UpArgs,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let config = args.up.clone().settle()?;
    let mut out = std::io::stdout().lock();
    // The access key names the account; any secret will do on the loopback listener.
    for (name, value) in [
        ("AWS_ENDPOINT_URL", format!("http://{}", config.listen)),
        ("AWS_DEFAULT_REGION", config.region.to_string()),
        ("AWS_REGION", config.region.to_string()),
        ("AWS_ACCESS_KEY_ID", config.account.to_string()),
        ("AWS_SECRET_ACCESS_KEY", "roadstead".to_owned()),
    ] {
        writeln!(out, "export {name}={value}")?;
    }
    Ok(())
}
