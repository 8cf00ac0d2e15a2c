//! An account as a call sees it: the records as of one revision, found by name. Names are one whatever their case.

use std::sync::Arc;

use roadstead_base::{AccountId, Arn, Partition, Region};
use roadstead_store::{Entry, Key, Snapshot};

use crate::error::{Result, no_key, no_policy, no_profile, no_provider, none};
use crate::managed::{self, Managed};
use crate::records::{
    AccountRecord, GroupRecord, KeyRecord, PolicyRecord, ProfileRecord, ProviderRecord, Record, RoleRecord,
    UserRecord,
};

pub(crate) const TABLE: &str = "iam";
/// IAM's records lie in no region.
const NOWHERE: &str = "aws-global";

/// The kinds of records, as segments of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
    Role,
    Policy,
    Profile,
    Provider,
    Key,
}

impl Kind {
    fn segment(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Profile => "profile",
            Self::Provider => "oidc-provider",
            Self::Key => "key",
        }
    }

    /// In an ARN, and in IAM's messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Profile => "instance-profile",
            kind => kind.segment(),
        }
    }
}

/// Where an account's records lie.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    base: Key,
    pub(crate) account: AccountId,
}

impl Keys {
    #[allow(clippy::expect_used)] // the name is a region's
    pub(crate) fn of(account: &AccountId) -> Self {
        let region: Region = NOWHERE.parse().expect("a region's name");
        let partition = Partition {
            account: account.clone(),
            region,
        };
        Self {
            base: Key::of(&partition).child(TABLE),
            account: account.clone(),
        }
    }

    pub(crate) fn account(&self) -> Key {
        self.base.child("account")
    }

    pub(crate) fn all(&self, kind: Kind) -> Key {
        self.base.child(kind.segment())
    }

    pub(crate) fn one(&self, kind: Kind, name: &str) -> Key {
        self.all(kind).child(name.to_lowercase())
    }

    /// `arn:aws:iam::000000000000:role/path/name`
    pub(crate) fn arn(&self, kind: Kind, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{}{path}{name}", self.account, kind.word())
    }
}

/// The records of one account.
pub(crate) struct Realm<'a> {
    pub(crate) keys: &'a Keys,
    pub(crate) snapshot: &'a Snapshot<Record>,
}

/// A managed policy: the account's own, or one that everybody has.
#[derive(Clone)]
pub(crate) enum AnyPolicy {
    Own(Arc<Entry<Record>>),
    Everybodys(&'static Managed),
}

impl AnyPolicy {
    pub(crate) fn own(&self) -> Option<&PolicyRecord> {
        match self {
            Self::Own(entry) => match &entry.value {
                Record::Policy(policy) => Some(policy),
                _ => None,
            },
            Self::Everybodys(_) => None,
        }
    }
}

macro_rules! find {
    ($name:ident, $all:ident, $kind:ident, $variant:ident, $record:ty, $missing:expr) => {
        pub(crate) fn $name(&self, name: &str) -> Result<&'a $record> {
            let missing: fn(&str) -> roadstead_protocol::ApiError = $missing;
            match self
                .snapshot
                .get(&self.keys.one(Kind::$kind, name))
                .map(|entry| &entry.value)
            {
                Some(Record::$variant(record)) => Ok(record),
                _ => Err(missing(name)),
            }
        }

        pub(crate) fn $all(&self) -> Vec<&'a $record> {
            let above = self.keys.all(Kind::$kind);
            let entries = self.snapshot.below(&above);
            // The key above must live only as long as the search.
            let found: Vec<&'a Arc<Entry<Record>>> = entries_of(self.snapshot, entries);
            found
                .into_iter()
                .filter_map(|entry| match &entry.value {
                    Record::$variant(record) => Some(record),
                    _ => None,
                })
                .collect()
        }
    };
}

/// The same entries, bound to the snapshot and not to the key they were looked up by.
fn entries_of<'a, 'k>(
    snapshot: &'a Snapshot<Record>,
    entries: impl Iterator<Item = &'k Arc<Entry<Record>>>,
) -> Vec<&'a Arc<Entry<Record>>> {
    entries.filter_map(|entry| snapshot.get(&entry.key)).collect()
}

impl<'a> Realm<'a> {
    find!(user, users, User, User, UserRecord, |name| none("user", name));
    find!(group, groups, Group, Group, GroupRecord, |name| none(
        "group", name
    ));
    find!(role, roles, Role, Role, RoleRecord, |name| none("role", name));
    find!(profile, profiles, Profile, Profile, ProfileRecord, no_profile);
    find!(
        provider,
        providers,
        Provider,
        Provider,
        ProviderRecord,
        no_provider
    );
    find!(access_key, access_keys, Key, Key, KeyRecord, no_key);
    find!(own_policy, own_policies, Policy, Policy, PolicyRecord, no_policy);

    pub(crate) fn account(&self) -> AccountRecord {
        match self.snapshot.get(&self.keys.account()).map(|entry| &entry.value) {
            Some(Record::Account(account)) => account.clone(),
            _ => AccountRecord::default(),
        }
    }

    pub(crate) fn entry(&self, kind: Kind, name: &str) -> Option<&'a Arc<Entry<Record>>> {
        self.snapshot.get(&self.keys.one(kind, name))
    }

    /// A managed policy by its ARN.
    pub(crate) fn policy(&self, arn: &str) -> Option<AnyPolicy> {
        if let Some(managed) = managed::find(arn) {
            return Some(AnyPolicy::Everybodys(managed));
        }
        let name = own_policy_name(self.keys, arn)?;
        let entry = self.entry(Kind::Policy, name)?;
        match &entry.value {
            Record::Policy(policy) if self.keys.arn(Kind::Policy, &policy.path, &policy.name) == arn => {
                Some(AnyPolicy::Own(Arc::clone(entry)))
            }
            _ => None,
        }
    }

    pub(crate) fn keys_of(&self, user: Option<&str>) -> Vec<&'a KeyRecord> {
        let mut keys = self.access_keys();
        keys.retain(|key| match (&key.user, user) {
            (None, None) => true,
            (Some(owner), Some(user)) => owner.eq_ignore_ascii_case(user),
            _ => false,
        });
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        keys
    }

    pub(crate) fn members_of(&self, group: &str) -> Vec<&'a UserRecord> {
        let mut users = self.users();
        users.retain(|user| user.groups.iter().any(|name| name.eq_ignore_ascii_case(group)));
        users
    }
}

/// The name in the ARN of a policy of the account's own.
fn own_policy_name<'t>(keys: &Keys, arn: &'t str) -> Option<&'t str> {
    let parsed: Arn = arn.parse().ok()?;
    if parsed.service != "iam" || parsed.account != keys.account.as_str() {
        return None;
    }
    let at = arn.rfind('/')?;
    parsed.resource_of("policy").map(|_| &arn[at + 1..])
}
