//! Ports of the host that lead to a container: its forwarder is started, found again, and started anew when it
//! ended before the container.

use std::time::Duration;

use super::super::{Inner, lock};
use super::{Endpoint, Local};
use crate::forward::{Order, Process, PublishPort, PublishedPort, Report, Starting};
use crate::netns;
use crate::{Error, Result};

/// Before a forwarder that ended is started again, doubled with each failure: one that cannot live must not keep
/// the machine busy.
const RESTART_AFTER: Duration = Duration::from_millis(300);
const RESTART_AT_MOST: Duration = Duration::from_secs(30);

impl Endpoint {
    /// The same ports again: those that were chosen are fixed now.
    fn ports(&self) -> Vec<PublishPort> {
        let fixed = |port: &PublishedPort| PublishPort {
            container_port: port.container_port,
            count: port.count,
            host_port: Some(port.host_port),
            transport: port.transport,
        };
        if self.published.is_empty() {
            self.wanted.clone()
        } else {
            self.published.iter().map(fixed).collect()
        }
    }
}

impl Local {
    /// Starts the container's forwarder unless it lives.
    pub(super) fn publish(&mut self, inner: &Inner, container: &str) -> Result<()> {
        let Some(mut endpoint) = self.endpoints.get(container).cloned() else {
            return Ok(());
        };
        if endpoint.wanted.is_empty() || endpoint.forwarder.is_some_and(|f| f.open().is_some()) {
            return Ok(());
        }
        let attempt = format!("starting the forwarder of {container}");
        let starting = Starting::new(inner.helper.as_deref(), container);
        let starting = starting.map_err(Error::kernel(attempt.clone()))?;
        let process = starting.process;
        endpoint.forwarder = Some(process);
        // Written down before it does anything: it ends by itself if this process dies earlier.
        self.keep(endpoint.clone())?;
        let order = Order {
            outside: inner.node_path.clone(),
            inside: netns::path_of(&inner.instance.bridge_namespace()),
            to: endpoint.ip.into(),
            ports: endpoint.ports(),
        };
        let published = match starting.order(&order).map_err(Error::kernel(attempt.clone()))? {
            Report::Published(published) => published,
            Report::Taken(address, transport) => return Err(Error::PortTaken { address, transport }),
            Report::Failed(why) => return Err(Error::Invalid(format!("{attempt}: {why}"))),
        };
        endpoint.published = published;
        self.keep(endpoint)?;
        inner.watch_forwarder(container.to_owned(), process);
        Ok(())
    }

    /// A forwarder that ended with the daemon away starts again. A port that was lost meanwhile is told, and
    /// tried again until it is free.
    pub(super) fn find_forwarder_again(&mut self, inner: &Inner, endpoint: &Endpoint) {
        match endpoint.forwarder {
            Some(process) if process.open().is_some() => {
                inner.watch_forwarder(endpoint.container.clone(), process);
            }
            _ => {
                if let Err(error) = self.publish(inner, &endpoint.container) {
                    tracing::warn!(container = endpoint.container, %error, "its ports are not published; trying again");
                    let failed = self.endpoints.get(&endpoint.container).and_then(|e| e.forwarder);
                    if let Some(failed) = failed {
                        inner.watch_forwarder(endpoint.container.clone(), failed);
                    }
                }
            }
        }
    }
}

impl Inner {
    /// Starts the forwarder anew whenever it ends before its container.
    fn watch_forwarder(&self, container: String, process: Process) {
        let me = self.me.clone();
        self.runtime.spawn(async move {
            process.ended().await;
            let mut pause = RESTART_AFTER;
            loop {
                tokio::time::sleep(pause).await;
                pause = RESTART_AT_MOST.min(pause * 2);
                let Some(inner) = me.upgrade() else { return };
                let name = container.clone();
                let again = tokio::task::spawn_blocking(move || inner.restart_forwarder(&name, process));
                match again.await {
                    Ok(Ok(())) | Err(_) => return,
                    Ok(Err(error)) => {
                        tracing::warn!(container, %error, "its ports are not published; trying again")
                    }
                }
            }
        });
    }

    fn restart_forwarder(&self, container: &str, ended: Process) -> Result<()> {
        let mut local = lock(&self.local);
        let current = local.endpoints.get(container).and_then(|e| e.forwarder);
        if current != Some(ended) && current.is_none_or(|f| f.open().is_some()) {
            return Ok(());
        }
        tracing::warn!(container, "the forwarder of its ports ended and is started again");
        local.publish(self, container)
    }
}
