//! What crosses the agent channel (ACS): the control plane's messages to a node's agent and the agent's
//! answers. No published model carries these shapes; the vendor's agent and ours must both read them, so
//! they live apart from either end. [`network`] is our own addition: the map of a VPC.

pub mod network;
