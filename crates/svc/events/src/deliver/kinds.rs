//! What can be a target: a row for each kind, which says by what ARN it goes, what of a target's parameters belong to it
//! and how an event is handed to it. Another kind is another row and a file beside this one.

use roadstead_api_events::{EcsParameters, SqsParameters};
use roadstead_base::{Arn, Ctx};
use roadstead_protocol::BoxFuture;

use crate::deliver::{Delivery, Failed, bus, ecs, lambda, logs, sns, sqs, states};
use crate::error::{Error, Result};

/// The parameters of a target that only some kinds have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given<'a> {
    /// Of the target.
    pub id: &'a str,
    pub ecs: Option<&'a EcsParameters>,
    pub sqs: Option<&'a SqsParameters>,
}

pub(crate) struct Kind {
    /// The service of its ARNs.
    service: &'static str,
    /// Whether it is one of these, and has the parameters that it needs and no others; if not, what is wrong.
    check: fn(&Ctx, &Arn, &Given<'_>) -> Result<(), String>,
    /// Whether it is called as a role, the target's or the rule's. Others are called as the target's role if it has one.
    pub needs_role: bool,
    pub deliver: for<'a> fn(&'a Delivery<'a>) -> BoxFuture<'a, Result<(), Failed>>,
}

const KINDS: &[Kind] = &[
    Kind {
        service: "ecs",
        check: ecs::check,
        needs_role: true,
        deliver: |delivery| Box::pin(ecs::run(delivery)),
    },
    Kind {
        service: "events",
        check: bus::check,
        needs_role: false,
        deliver: |delivery| Box::pin(bus::forward(delivery)),
    },
    Kind {
        service: "lambda",
        check: lambda::check,
        needs_role: false,
        deliver: |delivery| Box::pin(lambda::invoke(delivery)),
    },
    Kind {
        service: "logs",
        check: logs::check,
        needs_role: false,
        deliver: |delivery| Box::pin(logs::log(delivery)),
    },
    Kind {
        service: "sns",
        check: sns::check,
        needs_role: false,
        deliver: |delivery| Box::pin(sns::publish(delivery)),
    },
    Kind {
        service: "sqs",
        check: sqs::check,
        needs_role: false,
        deliver: |delivery| Box::pin(sqs::send(delivery)),
    },
    Kind {
        service: "states",
        check: states::check,
        needs_role: true,
        deliver: |delivery| Box::pin(states::start(delivery)),
    },
];

impl Kind {
    /// By the ARN of a target.
    pub(crate) fn of(arn: &str) -> Result<&'static Self> {
        let service = parsed(arn)?.service;
        KINDS
            .iter()
            .find(|kind| kind.service == service)
            .ok_or_else(|| Error::unsupported(format!("Arn of a target of {service}")))
    }

    /// Refuses a target that could never be delivered to.
    pub(crate) fn accept(ctx: &Ctx, arn: &str, given: &Given<'_>) -> Result<&'static Self> {
        let kind = Self::of(arn)?;
        let parsed = parsed(arn)?;
        if parsed.region != ctx.region.as_str() || parsed.account != ctx.account.as_str() {
            return Err(Error::unsupported(format!(
                "Arn {arn} of another account or region"
            )));
        }
        (kind.check)(ctx, &parsed, given).map_err(Error::Invalid)?;
        Ok(kind)
    }
}

fn parsed(arn: &str) -> Result<Arn> {
    // The service names the ARN in place of the parameter.
    let wrong = |_| {
        Error::invalid(format!(
            "Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
        ))
    };
    arn.parse().map_err(wrong)
}

/// The words for an ARN that is none of the kind.
pub(super) fn invalid_arn(reason: &str) -> String {
    format!("Parameter Arn is not valid. Reason: {reason}")
}

/// The words for parameters that a target of its kind must have.
pub(super) fn must_have(parameters: &str, given: &Given<'_>) -> String {
    format!(
        "Parameter(s) {parameters} must be specified for target: {}.",
        given.id
    )
}

/// Refuses parameters of another kind.
pub(super) fn none_of(parameters: &str, given: bool, what: &str) -> Result<(), String> {
    if given {
        return Err(format!(
            "Parameter {parameters} is not valid. Reason: the target is no {what}."
        ));
    }
    Ok(())
}
