//! The agent's own namespace: what tasks may reach of the agent listens here, so that no address of the
//! host is ever reachable from a task and no rule is needed in the host's tables.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use ipnet::Ipv4Net;

use super::doomed::Undertaker;
use super::task::bridge_conf;
use crate::cni::Attachment;
use crate::cni::bridge::Side;
use crate::cni::ipam::Store;
use crate::firewall::run_nft;
use crate::names::InstanceId;
use crate::netns::Netns;
use crate::{Error, Result};

/// Where tasks find credentials, metadata and the API.
pub const AGENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// The subnet of the private links; its first address is the bridge.
pub const LINK_SUBNET: &str = "169.254.172.0/22";
/// Name of the bridge inside the agent's namespace.
pub const AGENT_LINK: &str = "ecs-bridge";

/// Tasks reach one address, and the agent never begins.
const RULES: &str = r#"
add table inet roadstead
delete table inet roadstead
table inet roadstead {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ip daddr 169.254.170.2 meta l4proto tcp accept
    ip daddr 169.254.170.2 icmp type echo-request accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
  chain output {
    type filter hook output priority filter; policy drop;
    oifname "lo" accept
    ip saddr 169.254.170.2 accept
  }
}
"#;

/// The agent's namespace, open.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) side: Side,
}

impl Agent {
    /// Makes or finds the namespace and everything in it.
    pub(super) fn ensure(instance: &InstanceId, state_dir: &Path) -> Result<Self> {
        let name = instance.agent_namespace();
        let namespace = match Netns::named(&name)? {
            Some(namespace) => namespace,
            None => Netns::create(&name)?,
        };
        let fixed = [
            ("ipv6/conf/all/disable_ipv6", "1"),
            ("ipv6/conf/default/disable_ipv6", "1"),
            ("ipv4/ip_forward", "0"),
        ];
        namespace.sysctl(&fixed.map(|(key, value)| (key.to_owned(), value)))?;
        run_nft(&namespace, RULES)?;
        let store = Store::at(state_dir.join("ipam.json"));
        let failed = |source| Error::Cni {
            plugin: "ecs-bridge",
            command: "STATUS",
            source,
        };
        let mut side = Side::open(namespace, store).map_err(failed)?;
        side.pins.ensure_table()?;
        let loopback = side.netlink.loopback()?;
        side.netlink
            .add_address(loopback, Ipv4Net::new_assert(AGENT_ADDRESS, 32), true)?;
        side.ensure_bridge(&bridge_conf("")).map_err(failed)?;
        Ok(Self { side })
    }

    /// Disconnects an owner's link: nothing passes it when this returns, and its device goes later.
    pub(super) fn cut(
        &mut self,
        undertaker: &Undertaker,
        who: &Attachment,
        owner: &str,
    ) -> Result<(), crate::cni::Error> {
        crate::cni::bridge::cut(&mut self.side, who, &bridge_conf(owner))?;
        Ok(undertaker.bury(&self.side.namespace)?)
    }

    pub(super) fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        let attempt = format!("listening on {address} in {}", self.side.namespace.label());
        let listener = self.side.namespace.run(|| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })?;
        listener.map_err(Error::kernel(attempt))
    }
}
