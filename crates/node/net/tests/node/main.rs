//! A node's network on a real kernel, as root: each test has a namespace that plays the host, so that the
//! machine's own network is never touched.

mod bridge;
mod cni;
mod cnitool;
mod conformance;
mod crash;
mod frames;
mod groups;
mod host;
mod hostile;
mod ipv6;
mod isolation;
mod lifecycle;
mod link;
mod names;
mod support;
