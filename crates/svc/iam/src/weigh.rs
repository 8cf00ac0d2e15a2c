//! What the policies that bind a caller, and those of what it touches, come to together.

use roadstead_base::{Caller, RoleSession};
use roadstead_dispatch::Asked;
use roadstead_policy::{Cause, Context, Kind as Document, Policies, Principal, Request, Source, decide};

use crate::authority::{Named, plain, role_of, user_of};
use crate::compiled::Documents;
use crate::realm::Realm;
use crate::service::Iam;

impl Iam {
    pub(crate) fn weigh(&self, asked: &Asked<'_>, realm: &Realm<'_>, context: &Context) -> Cause {
        let Asked { ctx, .. } = *asked;
        let account = ctx.account.as_str();
        let nothing = Cause::NotAllowed(Source::Identity);
        let (entry, principal_arns) = match &ctx.caller {
            Caller::User(user) => (
                user_of(realm, &user.name, &user.id),
                (user.arn.clone(), String::new()),
            ),
            Caller::Role(session) => (role_of(realm, session), (session.role_arn.clone(), session.arn())),
            Caller::Service(name) if ctx.origin.source_arn.is_some() => {
                return for_service(&self.documents, asked, name, context);
            }
            Caller::Root => return for_root(&self.documents, asked, account, context),
            Caller::Service(_) | Caller::Node => return Cause::Allowed,
        };
        let Some(entry) = entry else { return nothing };
        let principal = match &ctx.caller {
            Caller::User(_) => Principal::User {
                account,
                arn: &principal_arns.0,
            },
            _ => Principal::Session {
                account,
                role_arn: &principal_arns.0,
                session_arn: &principal_arns.1,
            },
        };
        let layers = self.layers(realm, entry);
        let session = match &ctx.caller {
            Caller::Role(session) => self.session_policies(realm, session),
            _ => None,
        };
        let trust = asked.action.starts_with("sts:");
        let document = if trust {
            Document::Trust
        } else {
            Document::Resource
        };
        let resource = asked
            .resource_policy
            .map(|text| self.documents.read(text, document));
        let identity = plain(&layers.identity);
        let boundary = layers.boundary.as_deref().map(plain);
        let session = session.as_deref().map(plain);
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_deref(),
            session: session.as_deref(),
            resource: resource.as_deref(),
            resource_must_allow: trust && asked.resource_policy.is_some(),
        };
        let request = Request {
            principal,
            action: asked.action,
            resource: asked.resource,
            resource_account: None,
            context,
        };
        decide(policies, &request).cause
    }

    fn session_policies(&self, realm: &Realm<'_>, session: &RoleSession) -> Option<Vec<Named>> {
        if session.policies.is_empty() && session.policy_arns.is_empty() {
            return None;
        }
        let inline = session.policies.iter().map(|document| Named {
            id: "session".to_owned(),
            source: roadstead_api_iam::PolicySourceType::None,
            policy: self.documents.read(document, Document::Identity),
        });
        let managed = session
            .policy_arns
            .iter()
            .filter_map(|arn| self.managed(realm, arn));
        Some(inline.chain(managed).collect())
    }
}

/// About an account's root: what is another account's must let it in by its own policy.
fn for_root(documents: &Documents, asked: &Asked<'_>, account: &str, context: &Context) -> Cause {
    let request = Request {
        principal: Principal::Root { account },
        action: asked.action,
        resource: asked.resource,
        resource_account: None,
        context,
    };
    if request.same_account() {
        return Cause::Allowed;
    }
    let resource = asked
        .resource_policy
        .map(|text| documents.read(text, Document::Resource));
    let policies = Policies {
        resource: resource.as_deref(),
        ..Policies::default()
    };
    decide(policies, &request).cause
}

/// About a service that calls for something of a customer's: the resource's own policy must let it in.
fn for_service(documents: &Documents, asked: &Asked<'_>, name: &str, context: &Context) -> Cause {
    let resource = asked
        .resource_policy
        .map(|text| documents.read(text, Document::Resource));
    let policies = Policies {
        resource: resource.as_deref(),
        resource_must_allow: true,
        ..Policies::default()
    };
    let request = Request {
        principal: Principal::Service {
            name,
            region: asked.ctx.region.as_str(),
        },
        action: asked.action,
        resource: asked.resource,
        resource_account: None,
        context,
    };
    decide(policies, &request).cause
}
