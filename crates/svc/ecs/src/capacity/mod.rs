//! Capacity providers. FARGATE and FARGATE_SPOT are there from the beginning; both are the capacity of the machines
//! here, which nobody takes back, so that a task of FARGATE_SPOT is never interrupted. Providers over Auto Scaling
//! groups need such a group, and there are none.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
mod strategy;
#[cfg(test)]
mod tests;
pub(crate) mod update;

use roadstead_base::{Arn, Ctx};

use crate::error::{Error, Result};

pub use strategy::StrategyItem;
pub(crate) use strategy::{check_providers, check_strategy, due, shares, show_strategy, strategy_of};

/// In the order in which they are described.
pub(crate) const BUILT_IN: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// The provider of that name or ARN, if there is one.
pub(crate) fn find(ctx: &Ctx, text: &str) -> Option<&'static str> {
    let name = match text.parse::<Arn>() {
        Ok(arn) => {
            let own = arn.service == "ecs"
                && arn.region == ctx.region.as_str()
                && arn.account == ctx.account.as_str();
            let name = arn.resource_of("capacity-provider").filter(|_| own);
            name.map(str::to_owned)?
        }
        Err(_) => text.to_owned(),
    };
    BUILT_IN.into_iter().find(|known| *known == name)
}

pub(crate) fn arn(ctx: &Ctx, name: &str) -> String {
    Arn::new(
        "ecs",
        &ctx.region,
        &ctx.account,
        format!("capacity-provider/{name}"),
    )
    .to_string()
}

fn not_found() -> Error {
    Error::invalid(
        "The specified capacity provider was not found. Specify a valid name or ARN and try again.",
    )
}

/// Of a call that changes or deletes one: none of those that exist can be.
fn fixed(ctx: &Ctx, named: &str, what: &str) -> Result<std::convert::Infallible> {
    match find(ctx, named) {
        Some(name) => Err(Error::invalid(format!(
            "The capacity provider {name} is reserved and cannot be {what}."
        ))),
        None => Err(not_found()),
    }
}
