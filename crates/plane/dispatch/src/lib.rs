//! One way in. Every call, from outside or from another service, passes here: protocol, identity, policy,
//! audit, handler. Nothing else may reach a service.

mod body;
mod credentials;
mod dispatcher;
mod http_front;
mod listener;
mod maps;
mod render;
mod routing;
mod sign_in;
mod steady;

pub use credentials::{Credentials, IssuedKey};
pub use dispatcher::{Dispatcher, Raw, RawRequest, RawResponse};
pub use listener::{Limits, Listener, Trust};
pub use maps::{MapReceiver, NetworkMaps, NodeMap};
