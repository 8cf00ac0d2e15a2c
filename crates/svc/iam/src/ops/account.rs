//! The account as a whole: its alias, and how much of everything there is.

use std::collections::BTreeMap;

use roadstead_api_iam::{
    CreateAccountAliasRequest, DeleteAccountAliasRequest, GetAccountSummaryResponse,
    ListAccountAliasesRequest, ListAccountAliasesResponse, SummaryKeyType as Key,
};
use roadstead_base::Ctx;

use crate::error::{Result, already, none};
use crate::limits;
use crate::ops::policies::usages;
use crate::page::page;
use crate::service::Iam;

/// An account has one; a new one takes the place of the old.
pub(crate) async fn create_alias(iam: &Iam, ctx: &Ctx, input: CreateAccountAliasRequest) -> Result<()> {
    let CreateAccountAliasRequest { account_alias } = input;
    if iam.alias_is_taken(&ctx.account, &account_alias) {
        return Err(already(format!(
            "The account alias {account_alias} already exists."
        )));
    }
    iam.change(ctx, |realm, plan| {
        let mut account = realm.account();
        if account.alias.as_ref() != Some(&account_alias) {
            account.alias = Some(account_alias.clone());
            plan.put_account(account);
        }
        Ok(())
    })
    .await
}

pub(crate) async fn delete_alias(iam: &Iam, ctx: &Ctx, input: DeleteAccountAliasRequest) -> Result<()> {
    let DeleteAccountAliasRequest { account_alias } = input;
    iam.change(ctx, |realm, plan| {
        let mut account = realm.account();
        if account.alias.as_ref() != Some(&account_alias) {
            return Err(none("account alias", &account_alias));
        }
        account.alias = None;
        plan.put_account(account);
        Ok(())
    })
    .await
}

pub(crate) async fn list_aliases(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAccountAliasesRequest,
) -> Result<ListAccountAliasesResponse> {
    let ListAccountAliasesRequest { marker, max_items } = input;
    iam.read(ctx, |realm| {
        let items = realm.account().alias.map(|alias| (alias.clone(), alias));
        let page = page(ctx, "ListAccountAliases", items, marker, max_items)?;
        Ok(ListAccountAliasesResponse {
            account_aliases: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn summary(iam: &Iam, ctx: &Ctx, _nothing: ()) -> Result<GetAccountSummaryResponse> {
    iam.read(ctx, |realm| {
        let count = |many: usize| i32::try_from(many).unwrap_or(i32::MAX);
        let policies = realm.own_policies();
        let versions: usize = policies.iter().map(|policy| policy.versions.len()).sum();
        let in_use = usages(realm).len();
        let has_root_keys = !realm.keys_of(None).is_empty();
        let map: BTreeMap<String, i32> = [
            (Key::Users, realm.users().len()),
            (Key::UsersQuota, limits::USERS),
            (Key::Groups, realm.groups().len()),
            (Key::GroupsQuota, limits::GROUPS),
            (Key::Roles, realm.roles().len()),
            (Key::RolesQuota, limits::ROLES),
            (Key::Policies, policies.len()),
            (Key::PoliciesQuota, limits::POLICIES),
            (Key::InstanceProfiles, realm.profiles().len()),
            (Key::InstanceProfilesQuota, limits::PROFILES),
            (Key::PolicyVersionsInUse, versions.max(in_use)),
            (Key::PolicyVersionsInUseQuota, 10_000),
            (Key::VersionsPerPolicyQuota, limits::VERSIONS),
            (Key::GroupsPerUserQuota, limits::GROUPS_PER_USER),
            (Key::AccessKeysPerUserQuota, limits::KEYS_PER_USER),
            (Key::AttachedPoliciesPerUserQuota, limits::ATTACHED),
            (Key::AttachedPoliciesPerGroupQuota, limits::ATTACHED),
            (Key::AttachedPoliciesPerRoleQuota, limits::ATTACHED),
            (Key::UserPolicySizeQuota, limits::USER_INLINE),
            (Key::GroupPolicySizeQuota, limits::GROUP_INLINE),
            (Key::RolePolicySizeQuota, limits::ROLE_INLINE),
            (Key::PolicySizeQuota, limits::MANAGED),
            (Key::AssumeRolePolicySizeQuota, limits::TRUST),
            (Key::AccountAccessKeysPresent, usize::from(has_root_keys)),
            (Key::Providers, realm.providers().len()),
            // None of these exist here.
            (Key::AccountMfaEnabled, 0),
            (Key::AccountPasswordPresent, 0),
            (Key::AccountSigningCertificatesPresent, 0),
            (Key::MfaDevices, 0),
            (Key::MfaDevicesInUse, 0),
            (Key::ServerCertificates, 0),
            (Key::GlobalEndpointTokenVersion, 2),
        ]
        .into_iter()
        .map(|(key, value)| (key.as_str().to_owned(), count(value)))
        .collect();
        Ok(GetAccountSummaryResponse {
            summary_map: Some(map),
        })
    })
    .await
}
