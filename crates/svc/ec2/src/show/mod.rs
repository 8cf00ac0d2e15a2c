//! What describe calls say of a record, and what their filters compare. Both stand side by side so that a
//! filter always means the value that is shown.

pub(crate) mod group;
pub(crate) mod interface;
pub(crate) mod rule;
pub(crate) mod subnet;
pub(crate) mod vpc;

use roadstead_base::{Arn, Ctx};

/// `true` and `false` as filters write them.
pub(crate) fn flag(value: bool) -> Vec<String> {
    vec![value.to_string()]
}

pub(crate) fn one(value: impl Into<String>) -> Vec<String> {
    vec![value.into()]
}

pub(crate) fn arn(ctx: &Ctx, kind: &str, id: &str) -> String {
    Arn::new("ec2", &ctx.region, &ctx.account, format!("{kind}/{id}")).to_string()
}
