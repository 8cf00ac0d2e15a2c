//! What several policies decide together. An explicit deny anywhere is the end of it; otherwise every layer that
//! there is must allow, and of a resource's own policy and the identity's, in one account, one suffices.

use crate::document::{Effect, OneOf, Policy, Statement};
use crate::principal::{Fit, Principal, Principals};
use crate::request::Request;

/// The layers that apply to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// Of the user and its groups, or of the role.
    pub identity: &'a [&'a Policy],
    /// Its permissions boundary. An attached one that is gone is an empty list.
    pub boundary: Option<&'a [&'a Policy]>,
    /// Passed when the session was made. Some, even if empty, narrows the session.
    pub session: Option<&'a [&'a Policy]>,
    /// The resource's own.
    pub resource: Option<&'a Policy>,
    /// The resource's own must allow, whatever else does: a role is assumed only by whom it trusts.
    pub resource_must_allow: bool,
}

/// Which layer a statement is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Identity,
    Boundary,
    Session,
    Resource,
}

/// A statement that bore on the decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matched<'a> {
    pub source: Source,
    /// Which policy of its layer.
    pub policy: usize,
    pub statement: &'a Statement,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Allowed,
    /// A statement of that layer denies it.
    Denied(Source),
    /// No statement of that layer allows it.
    NotAllowed(Source),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    pub cause: Cause,
    /// The statements that deny, if any does; otherwise those that allow.
    pub matched: Vec<Matched<'a>>,
}

impl Decision<'_> {
    pub fn is_allowed(&self) -> bool {
        self.cause == Cause::Allowed
    }
}

/// Decides about one request.
pub fn decide<'a>(policies: Policies<'a>, request: &Request<'_>) -> Decision<'a> {
    let Policies {
        identity,
        boundary,
        session,
        resource,
        resource_must_allow,
    } = policies;
    let action = request.action.to_ascii_lowercase();
    let mut tally = Tally {
        request,
        action: &action,
        denies: Vec::new(),
        allows: Vec::new(),
    };
    let identity = tally.layer(Source::Identity, identity);
    let boundary = boundary.map(|policies| tally.layer(Source::Boundary, policies));
    let session = session.map(|policies| tally.layer(Source::Session, policies));
    let resource_fit = resource.and_then(|policy| tally.layer(Source::Resource, &[policy]));
    let Tally { denies, allows, .. } = tally;
    if let Some(first) = denies.first() {
        return Decision {
            cause: Cause::Denied(first.source),
            matched: denies,
        };
    }
    if resource_must_allow && resource_fit.is_none() {
        return Decision {
            cause: Cause::NotAllowed(Source::Resource),
            matched: Vec::new(),
        };
    }
    let cause = weigh(
        request,
        identity.is_some(),
        boundary,
        session,
        resource.is_some(),
        resource_fit,
    );
    let matched = if cause == Cause::Allowed {
        allows
    } else {
        Vec::new()
    };
    Decision { cause, matched }
}

/// What the layers that allow come to, when none denies.
fn weigh(
    request: &Request<'_>,
    identity: bool,
    boundary: Option<Option<Fit>>,
    session: Option<Option<Fit>>,
    has_resource: bool,
    resource: Option<Fit>,
) -> Cause {
    let bounded = || {
        if boundary.is_some_and(|allows| allows.is_none()) {
            return Cause::NotAllowed(Source::Boundary);
        }
        if session.is_some_and(|allows| allows.is_none()) {
            return Cause::NotAllowed(Source::Session);
        }
        Cause::Allowed
    };
    match request.principal {
        Principal::Service { .. } => match resource {
            Some(_) => Cause::Allowed,
            None => Cause::NotAllowed(Source::Resource),
        },
        Principal::Root { .. } if request.same_account() && !has_resource => Cause::Allowed,
        Principal::Root { .. } => match resource {
            Some(_) => Cause::Allowed,
            None => Cause::NotAllowed(Source::Resource),
        },
        Principal::User { .. } | Principal::Session { .. } if request.same_account() => match resource {
            // Named itself, it needs nobody else's leave.
            Some(Fit::Own) => Cause::Allowed,
            Some(Fit::Role) => bounded(),
            Some(Fit::Account) | None if identity => bounded(),
            Some(Fit::Account) | None => Cause::NotAllowed(Source::Identity),
        },
        Principal::User { .. } | Principal::Session { .. } => {
            if resource.is_none() {
                Cause::NotAllowed(if identity {
                    Source::Resource
                } else {
                    Source::Identity
                })
            } else if identity {
                bounded()
            } else {
                Cause::NotAllowed(Source::Identity)
            }
        }
    }
}

struct Tally<'a, 'r> {
    request: &'r Request<'r>,
    /// Folded.
    action: &'r str,
    denies: Vec<Matched<'a>>,
    allows: Vec<Matched<'a>>,
}

impl<'a> Tally<'a, '_> {
    /// How well the layer's best allow fits; none if nothing in it allows.
    fn layer(&mut self, source: Source, policies: &[&'a Policy]) -> Option<Fit> {
        let mut best = None;
        for (index, policy) in policies.iter().enumerate() {
            for statement in &policy.statements {
                let Some(fit) = statement.applies(self.request, self.action) else {
                    continue;
                };
                let matched = Matched {
                    source,
                    policy: index,
                    statement,
                };
                match statement.effect {
                    Effect::Deny => self.denies.push(matched),
                    Effect::Allow => {
                        self.allows.push(matched);
                        best = best.max(Some(fit));
                    }
                }
            }
        }
        best
    }
}

impl Statement {
    fn applies(&self, request: &Request<'_>, action: &str) -> Option<Fit> {
        let named = match &self.actions {
            OneOf::Any(patterns) => patterns.iter().any(|pattern| pattern.matches(action)),
            OneOf::Not(patterns) => !patterns.iter().any(|pattern| pattern.matches(action)),
        };
        if !named || !self.concerns(request) {
            return None;
        }
        let fit = match &self.principals {
            None => Fit::Own,
            Some(OneOf::Any(all)) => best_fit(all, &request.principal)?,
            // Only who is named itself is left out, by its own name or its role's.
            Some(OneOf::Not(all)) => match best_fit(all, &request.principal) {
                Some(Fit::Own | Fit::Role) => return None,
                Some(Fit::Account) | None => Fit::Own,
            },
        };
        self.conditions
            .iter()
            .all(|condition| condition.holds(request))
            .then_some(fit)
    }

    fn concerns(&self, request: &Request<'_>) -> bool {
        match &self.resources {
            None => true,
            Some(OneOf::Any(templates)) => templates.iter().any(|template| {
                template
                    .settle(request)
                    .is_some_and(|pattern| pattern.matches(request.resource))
            }),
            Some(OneOf::Not(templates)) => templates.iter().all(|template| match template.settle(request) {
                Some(pattern) => !pattern.matches(request.resource),
                // A variable without a value: when in doubt, deny.
                None => self.effect == Effect::Deny,
            }),
        }
    }
}

fn best_fit(all: &[Principals], asker: &Principal<'_>) -> Option<Fit> {
    all.iter().filter_map(|principals| principals.fits(asker)).max()
}
