//! Who asks, and whom a policy means by its `Principal` element.

/// Who asks. ARNs are whole; accounts are 12 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    Root {
        account: &'a str,
    },
    User {
        account: &'a str,
        arn: &'a str,
    },
    /// Whoever acts as a role.
    Session {
        account: &'a str,
        role_arn: &'a str,
        session_arn: &'a str,
    },
    /// `lambda.amazonaws.com`, in a region.
    Service {
        name: &'a str,
        region: &'a str,
    },
}

impl<'a> Principal<'a> {
    pub fn account(&self) -> Option<&'a str> {
        match self {
            Self::Root { account } | Self::User { account, .. } | Self::Session { account, .. } => {
                Some(account)
            }
            Self::Service { .. } => None,
        }
    }
}

/// What a policy's element names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Principals {
    /// `"*"`, or `{"AWS": "*"}`
    Everyone,
    /// An account: its id, or the ARN of its root.
    Account(String),
    /// A user, a role, or a session of one.
    Arn(String),
    Service(String),
    /// `"Federated"` and `"CanonicalUser"`: nobody here is one.
    Nobody,
}

/// How well an element fits a principal; better is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// Its account is named: the account's own policies decide on.
    Account,
    /// The role that it acts as is named, or everyone is.
    Role,
    /// It is named itself.
    Own,
}

impl Principals {
    pub(crate) fn fits(&self, asker: &Principal<'_>) -> Option<Fit> {
        match (self, asker) {
            (Self::Everyone, _) => Some(Fit::Role),
            (Self::Account(account), Principal::Root { account: own }) => {
                (account == own).then_some(Fit::Own)
            }
            (Self::Account(account), asker) => {
                (Some(account.as_str()) == asker.account()).then_some(Fit::Account)
            }
            (Self::Arn(arn), Principal::User { arn: own, .. }) => (arn == own).then_some(Fit::Own),
            (
                Self::Arn(arn),
                Principal::Session {
                    role_arn,
                    session_arn,
                    ..
                },
            ) => {
                if arn == session_arn {
                    Some(Fit::Own)
                } else {
                    (arn == role_arn).then_some(Fit::Role)
                }
            }
            (Self::Service(name), Principal::Service { name: own, region }) => {
                let regional = || {
                    let (service, rest) = own.split_once('.')?;
                    name.strip_prefix(service)?
                        .strip_prefix('.')?
                        .strip_prefix(region)?
                        .strip_prefix('.')
                        .filter(|domain| *domain == rest)
                };
                (name == own || regional().is_some()).then_some(Fit::Own)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_goes_by_its_name_and_by_its_own_regions() {
        let states = Principal::Service {
            name: "states.amazonaws.com",
            region: "us-west-2",
        };
        for (named, fits) in [
            ("states.amazonaws.com", true),
            ("states.us-west-2.amazonaws.com", true),
            ("states.us-east-1.amazonaws.com", false),
            ("lambda.amazonaws.com", false),
            ("states", false),
            ("states.us-west-2.amazonaws.com.evil", false),
        ] {
            assert_eq!(
                Principals::Service(named.into()).fits(&states).is_some(),
                fits,
                "{named}"
            );
        }
    }

    #[test]
    fn sessions_fit_by_themselves_by_their_role_and_by_their_account() {
        let session = Principal::Session {
            account: "111122223333",
            role_arn: "arn:aws:iam::111122223333:role/p/r",
            session_arn: "arn:aws:sts::111122223333:assumed-role/r/s",
        };
        for (named, fit) in [
            (Principals::Everyone, Some(Fit::Role)),
            (
                Principals::Arn("arn:aws:sts::111122223333:assumed-role/r/s".into()),
                Some(Fit::Own),
            ),
            (
                Principals::Arn("arn:aws:iam::111122223333:role/p/r".into()),
                Some(Fit::Role),
            ),
            (Principals::Account("111122223333".into()), Some(Fit::Account)),
            (Principals::Account("444455556666".into()), None),
            (Principals::Nobody, None),
        ] {
            assert_eq!(named.fits(&session), fit, "{named:?}");
        }
    }
}
