//! This program as a client of a Roadstead, like any other: over HTTP and signed, pointed at it by the variables that
//! `roadstead env` prints.

use std::path::PathBuf;

use anyhow::Result;
use roadstead_agent::api::{Client, Credentials, Endpoint, Trust};
use roadstead_base::SharedClock;

use crate::config::{DEFAULT_ACCOUNT, DEFAULT_LISTEN, DEFAULT_REGION};

/// Which Roadstead, and as whom.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Where the API is
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value_t = format!("http://{DEFAULT_LISTEN}"), value_name = "URL")]
    endpoint: String,
    #[arg(long, env = "AWS_REGION", default_value = DEFAULT_REGION, value_name = "REGION")]
    pub(crate) region: String,
    /// Trust this authority's certificates
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca: Option<PathBuf>,
    #[arg(long, env = "AWS_ACCESS_KEY_ID", default_value = DEFAULT_ACCOUNT, hide = true)]
    access_key: String,
    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        default_value = "roadstead",
        hide = true,
        hide_env_values = true
    )]
    secret_key: String,
    #[arg(long, env = "AWS_SESSION_TOKEN", hide = true, hide_env_values = true)]
    session_token: Option<String>,
}

impl Place {
    pub(crate) fn client(&self, clock: SharedClock) -> Result<Client> {
        let endpoint = Endpoint::parse(&self.endpoint)?;
        let trust = Trust::of(&endpoint, self.ca.as_deref().filter(|_| endpoint.tls))?;
        let credentials = Credentials {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
        };
        let client = Client::new(endpoint, credentials, &self.region, clock).trusting(trust);
        Ok(match &self.session_token {
            Some(token) => client.with_token(token),
            None => client,
        })
    }
}
