//! Which events a rule wants. The language is EventBridge's ("Comparison operators for use in event patterns"),
//! whose engine is public as Event Ruler; what that documentation leaves open is decided as Ruler does.
//!
//! A [`Pattern`] says of one event whether it matches. A [`Matcher`] holds many patterns and finds those that
//! match, at a cost that follows the event and what matches rather than how many rules there are.

mod compile;
mod fault;
mod json;
mod leaf;
mod matcher;
mod numeric;
mod pattern;
mod wildcard;

pub use fault::Fault;
pub use matcher::Matcher;
pub use pattern::Pattern;
