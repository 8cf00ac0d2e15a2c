//! What the gate asks: whose key is this, may they, and who may act as a role. Reads what lies in memory and waits
//! for nothing.

use std::sync::{Arc, PoisonError};

use roadstead_base::{AccountId, Arn, Caller, Ctx, RoleSession, Timestamp, User};
use roadstead_dispatch::{
    Asked, Authority, Because, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_policy::{Cause, Context, Policies, Policy, Principal, Request, Source, decide};
use roadstead_store::Entry;

use crate::context::context;
use crate::ids;
use crate::realm::{AnyPolicy, Kind, Realm};
use crate::records::Record;
use crate::service::{Iam, Used};
use crate::token::{self, Holder, Token};

/// Uses closer together than this are noted once.
const NOTED: i64 = 60_000;

/// Where a policy that applies to somebody comes from.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) id: String,
    pub(crate) source: roadstead_api_iam::PolicySourceType,
    pub(crate) policy: Arc<Policy>,
}

/// The policies of a user or role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) identity: Vec<Named>,
    pub(crate) boundary: Option<Vec<Named>>,
}

pub(crate) fn plain(all: &[Named]) -> Vec<&Policy> {
    all.iter().map(|named| named.policy.as_ref()).collect()
}

impl Iam {
    /// The policies of a user, group or role.
    pub(crate) fn layers(&self, realm: &Realm<'_>, entry: &Entry<Record>) -> Layers {
        use roadstead_api_iam::PolicySourceType as Type;
        let mut layers = Layers::default();
        let source = match &entry.value {
            Record::User(_) => Type::User,
            Record::Group(_) => Type::Group,
            _ => Type::Role,
        };
        self.grants(realm, entry, source, &mut layers.identity);
        if let Record::User(user) = &entry.value
            && !user.groups.is_empty()
        {
            for group in realm.groups() {
                if user.groups.contains(&group.id)
                    && let Some(entry) = realm.entry(Kind::Group, &group.name)
                {
                    self.grants(realm, entry, Type::Group, &mut layers.identity);
                }
            }
        }
        layers.boundary = entry
            .value
            .boundary()
            .map(|arn| self.managed(realm, arn).into_iter().collect());
        layers
    }

    fn grants(
        &self,
        realm: &Realm<'_>,
        entry: &Entry<Record>,
        source: roadstead_api_iam::PolicySourceType,
        into: &mut Vec<Named>,
    ) {
        for (name, policy) in &self.cache.of(entry).own {
            into.push(Named {
                id: name.clone(),
                source,
                policy: Arc::clone(policy),
            });
        }
        let grants = entry.value.grants();
        for arn in grants
            .map(|grants| grants.attached.as_slice())
            .unwrap_or_default()
        {
            into.extend(self.managed(realm, arn));
        }
    }

    /// A managed policy's default version.
    pub(crate) fn managed(&self, realm: &Realm<'_>, arn: &str) -> Option<Named> {
        use roadstead_api_iam::PolicySourceType as Type;
        Some(match realm.policy(arn)? {
            AnyPolicy::Everybodys(managed) => Named {
                id: managed.name.clone(),
                source: Type::AwsManaged,
                policy: Arc::clone(&managed.policy),
            },
            AnyPolicy::Own(entry) => {
                let compiled = self.cache.of(&entry);
                let (name, policy) = compiled.own.first()?;
                Named {
                    id: name.clone(),
                    source: Type::UserManaged,
                    policy: Arc::clone(policy),
                }
            }
        })
    }

    pub(crate) fn last_used(&self, what: &str) -> Option<Used> {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        used.get(what).cloned()
    }

    fn note(&self, what: &str, service: &str, region: &str) {
        let at = self.clock.now();
        let fresh = |used: &Used| at.0 - used.at.0 < NOTED && used.service == service;
        if self.last_used(what).as_ref().is_some_and(fresh) {
            return;
        }
        let used = Used {
            at,
            service: service.to_owned(),
            region: region.to_owned(),
        };
        let mut all = self.used.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(what.to_owned(), used);
    }

    pub(crate) fn alias_is_taken(&self, by_other_than: &AccountId, alias: &str) -> bool {
        let own = crate::realm::Keys::of(by_other_than).account();
        self.mirror.snapshot().iter().any(|entry| match &entry.value {
            Record::Account(account) => account.alias.as_deref() == Some(alias) && entry.key != own,
            _ => false,
        })
    }

    fn session_key(&self, id: &str, text: &str) -> Result<IssuedKey, KeyError> {
        let token = Token::read(&self.secret, text).ok_or(KeyError::Invalid)?;
        if token.access_key != id {
            return Err(KeyError::Invalid);
        }
        if token.expires <= self.clock.now() {
            return Err(KeyError::Expired);
        }
        let caller = self.glance(&token.account, |realm| match &token.holder {
            Holder::Root => Some(Caller::Root),
            Holder::User { name, id } => user_of(realm, name, id).map(|user| caller(realm, user)),
            Holder::Role(session) => {
                role_of(realm, session)?;
                Some(Caller::Role(Arc::new(session.clone())))
            }
        });
        Ok(IssuedKey {
            secret: token::secret(&self.secret, text),
            account: token.account,
            caller: caller.ok_or(KeyError::Invalid)?,
        })
    }
}

/// The user of that name, if it is still the same.
pub(crate) fn user_of<'a>(realm: &Realm<'a>, name: &str, id: &str) -> Option<&'a Arc<Entry<Record>>> {
    let entry = realm.entry(Kind::User, name)?;
    matches!(&entry.value, Record::User(user) if user.id == id).then_some(entry)
}

/// The session's role, if it is still the same.
pub(crate) fn role_of<'a>(realm: &Realm<'a>, session: &RoleSession) -> Option<&'a Arc<Entry<Record>>> {
    let name = session.role_arn.rsplit('/').next()?;
    let entry = realm.entry(Kind::Role, name)?;
    matches!(&entry.value, Record::Role(role) if role.id == session.role_id).then_some(entry)
}

fn caller(realm: &Realm<'_>, entry: &Entry<Record>) -> Caller {
    match &entry.value {
        Record::User(user) => Caller::User(Arc::new(User {
            arn: realm.keys.arn(Kind::User, &user.path, &user.name),
            name: user.name.clone(),
            id: user.id.clone(),
        })),
        _ => Caller::Root,
    }
}

fn because(cause: Cause) -> Option<Because> {
    Some(match cause {
        Cause::Allowed => return None,
        Cause::Denied(Source::Identity) => Because::ExplicitIdentityDeny,
        Cause::Denied(Source::Boundary) => Because::ExplicitBoundaryDeny,
        Cause::Denied(Source::Session) => Because::ExplicitSessionDeny,
        Cause::Denied(Source::Resource) => Because::ExplicitResourceDeny,
        Cause::NotAllowed(Source::Identity) => Because::NoIdentityPolicy,
        Cause::NotAllowed(Source::Boundary) => Because::NoBoundary,
        Cause::NotAllowed(Source::Session) => Because::NoSessionPolicy,
        Cause::NotAllowed(Source::Resource) => Because::NoResourcePolicy,
    })
}

/// What the password policy lets users do though no policy of theirs says so: change their own, and see what is asked
/// of it.
fn by_password_policy(asked: &Asked<'_>, realm: &Realm<'_>) -> bool {
    let Caller::User(user) = &asked.ctx.caller else {
        return false;
    };
    let meant = match asked.action {
        "iam:ChangePassword" => asked.resource == user.arn,
        "iam:GetAccountPasswordPolicy" => true,
        _ => false,
    };
    let policy = || realm.account().password_policy;
    meant && policy().is_some_and(|policy| policy.users_change)
}

impl Authority for Iam {
    fn find(&self, access_key: &str, token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        let Some(account) = ids::account_of(&self.secret, access_key) else {
            return Ok(None);
        };
        if access_key.starts_with(ids::SESSION) {
            return match token {
                Some(token) => self.session_key(access_key, token).map(Some),
                None => Err(KeyError::Invalid),
            };
        }
        let found = self.glance(&account, |realm| {
            let key = realm.access_key(access_key).ok()?;
            let caller = match &key.user {
                Some(name) => caller(realm, realm.entry(Kind::User, name)?),
                None => Caller::Root,
            };
            (key.active && key.id == access_key).then(|| (key.secret.clone(), caller))
        });
        // A token goes with a session's key alone.
        let (secret, caller) = found.filter(|_| token.is_none()).ok_or(KeyError::Invalid)?;
        Ok(Some(IssuedKey {
            secret,
            account,
            caller,
        }))
    }

    fn account_of(&self, access_key: &str) -> Option<AccountId> {
        ids::account_of(&self.secret, access_key)
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        let ctx: &Ctx = asked.ctx;
        let service = asked.action.split(':').next().unwrap_or_default();
        match &ctx.caller {
            Caller::Role(session) => self.note(&session.role_arn, service, ctx.region.as_str()),
            Caller::User(_) if !ctx.origin.access_key.is_empty() && !ctx.origin.session => {
                self.note(&ctx.origin.access_key, service, ctx.region.as_str());
            }
            _ => {}
        }
        let cause = self.glance(&ctx.account, |realm| {
            let context = context(&asked, realm, self.clock.now());
            let cause = self.weigh(&asked, realm, &context);
            match cause {
                Cause::NotAllowed(Source::Identity) if by_password_policy(&asked, realm) => Cause::Allowed,
                cause => cause,
            }
        });
        match because(cause) {
            None => Ok(()),
            Some(because) => Err(Denial {
                caller: ctx.caller.arn(&ctx.account),
                action: asked.action.to_owned(),
                resource: asked.resource.to_owned(),
                because,
            }),
        }
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        let ServiceAssumes {
            role_arn,
            service,
            session_name,
            seconds,
            account,
            region,
            source_arn,
            tags,
        } = assumes;
        let not_a_role = || RoleError::NotARole(role_arn.to_owned());
        let arn: Arn = role_arn.parse().map_err(|_| not_a_role())?;
        let name = arn.resource_of("role").filter(|_| arn.service == "iam");
        let name = name
            .and_then(|name| name.rsplit('/').next())
            .ok_or_else(not_a_role)?;
        let missing = || RoleError::NoSuchRole(role_arn.to_owned());
        if arn.account != account.as_str() {
            return Err(missing());
        }
        self.glance(account, |realm| {
            let entry = realm.entry(Kind::Role, name).ok_or_else(missing)?;
            let Record::Role(role) = &entry.value else {
                return Err(missing());
            };
            if realm.keys.arn(Kind::Role, &role.path, &role.name) != role_arn {
                return Err(missing());
            }
            let mut context = Context::default()
                .with("aws:SourceAccount", account.as_str())
                .with("aws:PrincipalIsAWSService", "true")
                .with("aws:PrincipalServiceName", service);
            if let Some(source) = source_arn {
                context.set("aws:SourceArn", [source.to_owned()]);
            }
            let compiled = self.cache.of(entry);
            let policies = Policies {
                resource: compiled.trust.as_deref(),
                resource_must_allow: true,
                ..Policies::default()
            };
            let request = Request {
                principal: Principal::Service {
                    name: service,
                    region: region.as_str(),
                },
                action: "sts:AssumeRole",
                resource: role_arn,
                resource_account: None,
                context: &context,
            };
            if !decide(policies, &request).is_allowed() {
                return Err(RoleError::NotTrusted {
                    role: role_arn.to_owned(),
                    service,
                });
            }
            let issued = self.clock.now();
            let seconds = seconds.min(role.max_session);
            Ok(Arc::new(RoleSession {
                role_arn: role_arn.to_owned(),
                role_id: role.id.clone(),
                name: session_name.to_owned(),
                issued,
                expires: issued.plus_millis(i64::from(seconds) * 1000),
                policies: Vec::new(),
                policy_arns: Vec::new(),
                tags: tags.to_vec(),
                transitive: Vec::new(),
                source_identity: None,
                chained: false,
            }))
        })
    }

    fn issue(&self, caller: &Caller, account: &AccountId, expires: Timestamp) -> SessionKeys {
        let holder = match caller {
            Caller::User(user) => Holder::User {
                name: user.name.clone(),
                id: user.id.clone(),
            },
            Caller::Role(session) => Holder::Role(session.as_ref().clone()),
            Caller::Root | Caller::Service(_) | Caller::Node => Holder::Root,
        };
        let token = Token {
            access_key: ids::access_key(&self.secret, ids::SESSION, account),
            account: account.clone(),
            expires,
            holder,
        };
        let text = token.write(&self.secret);
        SessionKeys {
            access_key: token.access_key,
            secret: token::secret(&self.secret, &text),
            token: text,
            expires,
        }
    }
}
