//! How much there may be, as documented in "IAM and AWS STS quotas". Sizes count characters without white space.

pub(crate) const USERS: usize = 5000;
pub(crate) const GROUPS: usize = 300;
pub(crate) const ROLES: usize = 1000;
pub(crate) const POLICIES: usize = 1500;
pub(crate) const PROFILES: usize = 1000;
pub(crate) const GROUPS_PER_USER: usize = 10;
pub(crate) const KEYS_PER_USER: usize = 2;
pub(crate) const ATTACHED: usize = 10;
pub(crate) const VERSIONS: usize = 5;
pub(crate) const TAGS: usize = 50;
pub(crate) const ROLES_PER_PROFILE: usize = 1;
pub(crate) const PROVIDERS: usize = 100;
pub(crate) const CLIENTS_PER_PROVIDER: usize = 100;
pub(crate) const THUMBPRINTS_PER_PROVIDER: usize = 5;
pub(crate) const USER_INLINE: usize = 2048;
pub(crate) const GROUP_INLINE: usize = 5120;
pub(crate) const ROLE_INLINE: usize = 10_240;
pub(crate) const MANAGED: usize = 6144;
pub(crate) const TRUST: usize = 2048;

/// Characters that count.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}
