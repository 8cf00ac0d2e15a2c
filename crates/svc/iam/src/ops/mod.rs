//! The operations, by what they are about.

mod account;
mod attach;
mod boundaries;
mod details;
mod entities;
mod groups;
mod inline;
mod keys;
mod linked;
mod passwords;
mod policies;
mod profiles;
mod providers;
mod roles;
mod simulate;
mod tagging;
#[cfg(test)]
mod tests;
mod users;
mod versions;

use roadstead_api_iam::*;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::service::Iam;

macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $module:ident::$function:ident;)*) => {
        impl roadstead_api_iam::Iam for Iam {
            $(async fn $name(&self, ctx: &Ctx, input: $input) -> Result<$output, ApiError> {
                $module::$function(self, ctx, input).await
            })*
        }
    };
}

operations! {
    add_client_id_to_open_id_connect_provider(AddClientIDToOpenIDConnectProviderRequest) -> () = providers::add_client;
    add_role_to_instance_profile(AddRoleToInstanceProfileRequest) -> () = profiles::add_role;
    add_user_to_group(AddUserToGroupRequest) -> () = groups::add_user;
    attach_group_policy(AttachGroupPolicyRequest) -> () = attach::group;
    attach_role_policy(AttachRolePolicyRequest) -> () = attach::role;
    attach_user_policy(AttachUserPolicyRequest) -> () = attach::user;
    change_password(ChangePasswordRequest) -> () = passwords::change;
    create_access_key(CreateAccessKeyRequest) -> CreateAccessKeyResponse = keys::create;
    create_account_alias(CreateAccountAliasRequest) -> () = account::create_alias;
    create_group(CreateGroupRequest) -> CreateGroupResponse = groups::create;
    create_instance_profile(CreateInstanceProfileRequest) -> CreateInstanceProfileResponse = profiles::create;
    create_login_profile(CreateLoginProfileRequest) -> CreateLoginProfileResponse = passwords::create;
    create_open_id_connect_provider(CreateOpenIDConnectProviderRequest) -> CreateOpenIDConnectProviderResponse = providers::create;
    create_policy(CreatePolicyRequest) -> CreatePolicyResponse = policies::create;
    create_policy_version(CreatePolicyVersionRequest) -> CreatePolicyVersionResponse = versions::create;
    create_role(CreateRoleRequest) -> CreateRoleResponse = roles::create;
    create_service_linked_role(CreateServiceLinkedRoleRequest) -> CreateServiceLinkedRoleResponse = linked::create;
    create_user(CreateUserRequest) -> CreateUserResponse = users::create;
    delete_access_key(DeleteAccessKeyRequest) -> () = keys::delete;
    delete_account_alias(DeleteAccountAliasRequest) -> () = account::delete_alias;
    delete_account_password_policy(()) -> () = passwords::delete_policy;
    delete_group(DeleteGroupRequest) -> () = groups::delete;
    delete_group_policy(DeleteGroupPolicyRequest) -> () = inline::delete_of_group;
    delete_instance_profile(DeleteInstanceProfileRequest) -> () = profiles::delete;
    delete_login_profile(DeleteLoginProfileRequest) -> () = passwords::delete;
    delete_open_id_connect_provider(DeleteOpenIDConnectProviderRequest) -> () = providers::delete;
    delete_policy(DeletePolicyRequest) -> () = policies::delete;
    delete_policy_version(DeletePolicyVersionRequest) -> () = versions::delete;
    delete_role(DeleteRoleRequest) -> () = roles::delete;
    delete_role_permissions_boundary(DeleteRolePermissionsBoundaryRequest) -> () = boundaries::delete_of_role;
    delete_role_policy(DeleteRolePolicyRequest) -> () = inline::delete_of_role;
    delete_service_linked_role(DeleteServiceLinkedRoleRequest) -> DeleteServiceLinkedRoleResponse = linked::delete;
    delete_user(DeleteUserRequest) -> () = users::delete;
    delete_user_permissions_boundary(DeleteUserPermissionsBoundaryRequest) -> () = boundaries::delete_of_user;
    delete_user_policy(DeleteUserPolicyRequest) -> () = inline::delete_of_user;
    detach_group_policy(DetachGroupPolicyRequest) -> () = attach::detach_group;
    detach_role_policy(DetachRolePolicyRequest) -> () = attach::detach_role;
    detach_user_policy(DetachUserPolicyRequest) -> () = attach::detach_user;
    get_access_key_last_used(GetAccessKeyLastUsedRequest) -> GetAccessKeyLastUsedResponse = keys::last_used;
    get_account_authorization_details(GetAccountAuthorizationDetailsRequest) -> GetAccountAuthorizationDetailsResponse = details::details;
    get_account_password_policy(()) -> GetAccountPasswordPolicyResponse = passwords::get_policy;
    get_account_summary(()) -> GetAccountSummaryResponse = account::summary;
    get_context_keys_for_custom_policy(GetContextKeysForCustomPolicyRequest) -> GetContextKeysForPolicyResponse
        = simulate::keys_of_custom;
    get_context_keys_for_principal_policy(GetContextKeysForPrincipalPolicyRequest) -> GetContextKeysForPolicyResponse
        = simulate::keys_of_principal;
    get_group(GetGroupRequest) -> GetGroupResponse = groups::get;
    get_group_policy(GetGroupPolicyRequest) -> GetGroupPolicyResponse = inline::get_of_group;
    get_instance_profile(GetInstanceProfileRequest) -> GetInstanceProfileResponse = profiles::get;
    get_login_profile(GetLoginProfileRequest) -> GetLoginProfileResponse = passwords::get;
    get_open_id_connect_provider(GetOpenIDConnectProviderRequest) -> GetOpenIDConnectProviderResponse = providers::get;
    get_policy(GetPolicyRequest) -> GetPolicyResponse = policies::get;
    get_policy_version(GetPolicyVersionRequest) -> GetPolicyVersionResponse = versions::get;
    get_role(GetRoleRequest) -> GetRoleResponse = roles::get;
    get_role_policy(GetRolePolicyRequest) -> GetRolePolicyResponse = inline::get_of_role;
    get_service_linked_role_deletion_status(GetServiceLinkedRoleDeletionStatusRequest)
        -> GetServiceLinkedRoleDeletionStatusResponse = linked::deletion_status;
    get_user(GetUserRequest) -> GetUserResponse = users::get;
    get_user_policy(GetUserPolicyRequest) -> GetUserPolicyResponse = inline::get_of_user;
    list_access_keys(ListAccessKeysRequest) -> ListAccessKeysResponse = keys::list;
    list_account_aliases(ListAccountAliasesRequest) -> ListAccountAliasesResponse = account::list_aliases;
    list_attached_group_policies(ListAttachedGroupPoliciesRequest) -> ListAttachedGroupPoliciesResponse
        = attach::list_of_group;
    list_attached_role_policies(ListAttachedRolePoliciesRequest) -> ListAttachedRolePoliciesResponse
        = attach::list_of_role;
    list_attached_user_policies(ListAttachedUserPoliciesRequest) -> ListAttachedUserPoliciesResponse
        = attach::list_of_user;
    list_entities_for_policy(ListEntitiesForPolicyRequest) -> ListEntitiesForPolicyResponse = entities::list;
    list_group_policies(ListGroupPoliciesRequest) -> ListGroupPoliciesResponse = inline::list_of_group;
    list_groups(ListGroupsRequest) -> ListGroupsResponse = groups::list;
    list_groups_for_user(ListGroupsForUserRequest) -> ListGroupsForUserResponse = groups::list_for_user;
    list_instance_profile_tags(ListInstanceProfileTagsRequest) -> ListInstanceProfileTagsResponse
        = tagging::list_of_profile;
    list_instance_profiles(ListInstanceProfilesRequest) -> ListInstanceProfilesResponse = profiles::list;
    list_instance_profiles_for_role(ListInstanceProfilesForRoleRequest) -> ListInstanceProfilesForRoleResponse
        = profiles::list_for_role;
    list_open_id_connect_provider_tags(ListOpenIDConnectProviderTagsRequest) -> ListOpenIDConnectProviderTagsResponse = tagging::list_of_provider;
    list_open_id_connect_providers(ListOpenIDConnectProvidersRequest) -> ListOpenIDConnectProvidersResponse = providers::list;
    list_policies(ListPoliciesRequest) -> ListPoliciesResponse = policies::list;
    list_policy_tags(ListPolicyTagsRequest) -> ListPolicyTagsResponse = tagging::list_of_policy;
    list_policy_versions(ListPolicyVersionsRequest) -> ListPolicyVersionsResponse = versions::list;
    list_role_policies(ListRolePoliciesRequest) -> ListRolePoliciesResponse = inline::list_of_role;
    list_role_tags(ListRoleTagsRequest) -> ListRoleTagsResponse = tagging::list_of_role;
    list_roles(ListRolesRequest) -> ListRolesResponse = roles::list;
    list_user_policies(ListUserPoliciesRequest) -> ListUserPoliciesResponse = inline::list_of_user;
    list_user_tags(ListUserTagsRequest) -> ListUserTagsResponse = tagging::list_of_user;
    list_users(ListUsersRequest) -> ListUsersResponse = users::list;
    put_group_policy(PutGroupPolicyRequest) -> () = inline::put_of_group;
    put_role_permissions_boundary(PutRolePermissionsBoundaryRequest) -> () = boundaries::put_of_role;
    put_role_policy(PutRolePolicyRequest) -> () = inline::put_of_role;
    put_user_permissions_boundary(PutUserPermissionsBoundaryRequest) -> () = boundaries::put_of_user;
    put_user_policy(PutUserPolicyRequest) -> () = inline::put_of_user;
    remove_client_id_from_open_id_connect_provider(RemoveClientIDFromOpenIDConnectProviderRequest) -> () = providers::remove_client;
    remove_role_from_instance_profile(RemoveRoleFromInstanceProfileRequest) -> () = profiles::remove_role;
    remove_user_from_group(RemoveUserFromGroupRequest) -> () = groups::remove_user;
    set_default_policy_version(SetDefaultPolicyVersionRequest) -> () = versions::set_default;
    simulate_custom_policy(SimulateCustomPolicyRequest) -> SimulatePolicyResponse = simulate::custom;
    simulate_principal_policy(SimulatePrincipalPolicyRequest) -> SimulatePolicyResponse = simulate::principal;
    tag_instance_profile(TagInstanceProfileRequest) -> () = tagging::tag_profile;
    tag_open_id_connect_provider(TagOpenIDConnectProviderRequest) -> () = tagging::tag_provider;
    tag_policy(TagPolicyRequest) -> () = tagging::tag_policy;
    tag_role(TagRoleRequest) -> () = tagging::tag_role;
    tag_user(TagUserRequest) -> () = tagging::tag_user;
    untag_instance_profile(UntagInstanceProfileRequest) -> () = tagging::untag_profile;
    untag_open_id_connect_provider(UntagOpenIDConnectProviderRequest) -> () = tagging::untag_provider;
    untag_policy(UntagPolicyRequest) -> () = tagging::untag_policy;
    untag_role(UntagRoleRequest) -> () = tagging::untag_role;
    untag_user(UntagUserRequest) -> () = tagging::untag_user;
    update_access_key(UpdateAccessKeyRequest) -> () = keys::update;
    update_account_password_policy(UpdateAccountPasswordPolicyRequest) -> () = passwords::update_policy;
    update_assume_role_policy(UpdateAssumeRolePolicyRequest) -> () = roles::update_trust;
    update_group(UpdateGroupRequest) -> () = groups::update;
    update_login_profile(UpdateLoginProfileRequest) -> () = passwords::update;
    update_open_id_connect_provider_thumbprint(UpdateOpenIDConnectProviderThumbprintRequest) -> () = providers::update_thumbprints;
    update_role(UpdateRoleRequest) -> UpdateRoleResponse = roles::update;
    update_role_description(UpdateRoleDescriptionRequest) -> UpdateRoleDescriptionResponse = roles::describe;
    update_user(UpdateUserRequest) -> () = users::update;
}
