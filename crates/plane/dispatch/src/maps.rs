//! How the service that knows networks tells the service that talks to nodes what a node should see,
//! without either importing the other.

use std::sync::Arc;

use roadstead_acs::network::VpcMap;
use tokio::sync::watch;

/// Every VPC with an interface on one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeMap {
    /// Grows with every change; the same generation is the same content.
    pub generation: u64,
    pub vpcs: Vec<VpcMap>,
}

pub type MapReceiver = watch::Receiver<Arc<NodeMap>>;

/// Where node maps come from.
pub trait NetworkMaps: Send + Sync + 'static {
    /// The present map of the instance (`i-…`) and every later one. Holds at least what was acknowledged to
    /// any API call before this one.
    fn subscribe(&self, instance_id: &str) -> MapReceiver;
}
