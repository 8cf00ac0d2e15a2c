//! One way in. Every call, from outside or from another service, passes here: protocol, identity, policy,
//! audit, handler. Nothing else may reach a service.

mod answer;
mod audit;
mod authority;
mod body;
mod by_name;
mod connection;
mod credentials;
mod dispatcher;
mod gate;
mod http_front;
mod listener;
mod maps;
mod meters;
mod permissions;
mod render;
mod routing;
mod sign_in;
mod steady;
mod tls;
mod whole;

pub use answer::{Body, Events};
pub use audit::{AuditLog, Coming, Observer};
pub use authority::{
    Asked, Authority, Because, Denial, KeyError, Keys, RoleError, ServiceAssumes, SessionKeys,
};
pub use by_name::invocation;
pub use credentials::{Credentials, IssuedKey};
pub use dispatcher::{Dispatcher, Raw, RawRequest, RawResponse};
pub use gate::{ActAs, denied};
pub use listener::{Limits, Listener, Trust};
pub use maps::{MapReceiver, NetworkMaps, NodeMap};
pub use meters::Meters;
pub use permissions::{Asking, Need, Permissions, Rule, tags, text};
pub use tls::{Security, Tls, TlsError};
