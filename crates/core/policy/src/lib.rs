//! The policy language: what a document says, and what several of them together decide about one request. Pure:
//! the caller brings the documents and everything known of the request, time included.
//!
//! Behaviour follows the IAM user guide's "JSON policy element reference" and "Policy evaluation logic".

mod condition;
mod decide;
mod document;
mod error;
mod json;
mod parse;
mod pattern;
mod principal;
mod request;
mod template;
mod value;

pub use decide::{Cause, Decision, Matched, Policies, Source, decide};
pub use document::{Effect, Policy, Position, Statement};
pub use error::PolicyError;
pub use parse::{Kind, MAX_DOCUMENT, parse};
pub use principal::Principal;
pub use request::{Context, Request};
