//! What is asked, and all that is known of it.

use crate::principal::Principal;

/// Values of condition keys. Names are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(Vec<(String, Vec<String>)>);

impl Context {
    /// Sets a key, in place of what it had.
    pub fn set(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values = values.into_iter().collect();
        match self.0.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, old)) => *old = values,
            None => self.0.push((key.to_owned(), values)),
        }
    }

    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, [value.into()]);
        self
    }

    pub fn get(&self, key: &str) -> Option<&[String]> {
        let mut all = self.0.iter();
        all.find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, values)| values.as_slice())
    }
}

/// May this principal do this to that?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub principal: Principal<'a>,
    /// `ecs:RunTask`
    pub action: &'a str,
    /// An ARN, or `*`.
    pub resource: &'a str,
    /// Whose the resource is, where that is known; otherwise the account in its ARN, otherwise the principal's.
    pub resource_account: Option<&'a str>,
    pub context: &'a Context,
}

impl Request<'_> {
    /// Whether principal and resource belong to one account.
    pub fn same_account(&self) -> bool {
        let stated = self.resource_account.or_else(|| {
            let account = self.resource.split(':').nth(4)?;
            (!account.is_empty() && self.resource.starts_with("arn:")).then_some(account)
        });
        match (stated, self.principal.account()) {
            (Some(resource), Some(principal)) => resource == principal,
            (None, Some(_)) => true,
            // Services belong to no account.
            (_, None) => false,
        }
    }
}
