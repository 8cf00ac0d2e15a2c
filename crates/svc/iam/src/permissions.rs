//! What IAM's own operations mean to policies.
//! Source: "Actions, resources, and condition keys for AWS Identity and Access Management" in the Service
//! Authorization Reference.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx};
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::BoxFuture;

use crate::realm::{Kind, Realm};
use crate::records::Record;
use crate::service::Iam;

/// IAM's table, and where its resources' paths and tags are known.
pub struct IamPermissions(pub Arc<Iam>);

fn arn(asking: &Asking<'_>, rest: &str) -> String {
    format!("arn:aws:iam::{}:{rest}", asking.ctx.account)
}

fn need(asking: &Asking<'_>, resource: String) -> Need {
    Need::new(format!("iam:{}", asking.operation))
        .on([resource])
        .tagging(&asking.tags("Tags"))
        .untagging(&asking.texts("TagKeys"))
        .with_some("iam:PolicyARN", asking.text("PolicyArn"))
        .with_some("iam:PermissionsBoundary", asking.text("PermissionsBoundary"))
}

fn user(asking: &Asking<'_>) -> Vec<Need> {
    let resource = match (asking.text("UserName"), &asking.ctx.caller) {
        (Some(name), _) => arn(asking, &format!("user/{name}")),
        (None, Caller::User(user)) => user.arn.clone(),
        (None, _) => "*".to_owned(),
    };
    vec![need(asking, resource)]
}

fn group(asking: &Asking<'_>) -> Vec<Need> {
    let name = asking.text("GroupName").unwrap_or("*");
    vec![need(asking, arn(asking, &format!("group/{name}")))]
}

fn role(asking: &Asking<'_>) -> Vec<Need> {
    let name = asking.text("RoleName").unwrap_or("*");
    vec![need(asking, arn(asking, &format!("role/{name}")))]
}

fn profile(asking: &Asking<'_>) -> Vec<Need> {
    let name = asking.text("InstanceProfileName").unwrap_or("*");
    vec![need(asking, arn(asking, &format!("instance-profile/{name}")))]
}

/// Whoever puts a role into a profile hands it over.
fn profile_and_role(asking: &Asking<'_>) -> Vec<Need> {
    let role = asking.text("RoleName").unwrap_or("*");
    let pass = Need::pass_role(arn(asking, &format!("role/{role}")), "ec2.amazonaws.com");
    let mut needs = profile(asking);
    needs.push(pass);
    needs
}

fn provider(asking: &Asking<'_>) -> Vec<Need> {
    let resource = match asking.text("Url") {
        Some(url) => {
            let name = url.strip_prefix("https://").unwrap_or(url);
            arn(asking, &format!("oidc-provider/{name}"))
        }
        None => asking.text("OpenIDConnectProviderArn").unwrap_or("*").to_owned(),
    };
    vec![need(asking, resource)]
}

fn policy(asking: &Asking<'_>) -> Vec<Need> {
    let resource = asking.text("PolicyArn").unwrap_or("*").to_owned();
    vec![need(asking, resource)]
}

/// What is made has its path in the request.
fn new(asking: &Asking<'_>) -> Vec<Need> {
    let (kind, member) = match asking.operation {
        "CreateUser" => ("user", "UserName"),
        "CreateGroup" => ("group", "GroupName"),
        "CreateRole" => ("role", "RoleName"),
        "CreatePolicy" => ("policy", "PolicyName"),
        _ => ("instance-profile", "InstanceProfileName"),
    };
    let path = asking.text("Path").unwrap_or("/");
    let name = asking.text(member).unwrap_or("*");
    vec![need(asking, arn(asking, &format!("{kind}{path}{name}")))]
}

fn linked(asking: &Asking<'_>) -> Vec<Need> {
    let service = asking.text("AWSServiceName").unwrap_or("*");
    let resource = arn(asking, &format!("role/aws-service-role/{service}/*"));
    vec![need(asking, resource).with("iam:AWSServiceName", service)]
}

fn principal(asking: &Asking<'_>) -> Vec<Need> {
    let resource = asking.text("PolicySourceArn").unwrap_or("*").to_owned();
    vec![need(asking, resource)]
}

macro_rules! rules {
    ($($needs:ident: $($operation:literal)*;)*) => {
        &[$($(Rule { operation: $operation, needs: $needs },)*)*]
    };
}

impl Permissions for IamPermissions {
    /// A node that could make keys would be everybody.
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        rules! {
            new: "CreateUser" "CreateGroup" "CreateRole" "CreatePolicy" "CreateInstanceProfile";
            user: "AttachUserPolicy" "ChangePassword" "CreateAccessKey" "CreateLoginProfile" "DeleteAccessKey" "DeleteLoginProfile" "DeleteUser" "DeleteUserPermissionsBoundary"
                "DeleteUserPolicy" "DetachUserPolicy" "GetLoginProfile" "GetUser" "GetUserPolicy" "ListAccessKeys"
                "ListAttachedUserPolicies" "ListGroupsForUser" "ListUserPolicies" "ListUserTags"
                "PutUserPermissionsBoundary" "PutUserPolicy" "TagUser" "UntagUser" "UpdateAccessKey" "UpdateLoginProfile" "UpdateUser";
            group: "AddUserToGroup" "AttachGroupPolicy" "DeleteGroup" "DeleteGroupPolicy" "DetachGroupPolicy" "GetGroup"
                "GetGroupPolicy" "ListAttachedGroupPolicies" "ListGroupPolicies" "PutGroupPolicy"
                "RemoveUserFromGroup" "UpdateGroup";
            role: "AttachRolePolicy" "DeleteRole" "DeleteRolePermissionsBoundary" "DeleteRolePolicy"
                "DeleteServiceLinkedRole" "DetachRolePolicy" "GetRole" "GetRolePolicy" "ListAttachedRolePolicies"
                "ListInstanceProfilesForRole" "ListRolePolicies" "ListRoleTags" "PutRolePermissionsBoundary"
                "PutRolePolicy" "TagRole" "UntagRole" "UpdateAssumeRolePolicy" "UpdateRole" "UpdateRoleDescription";
            profile: "DeleteInstanceProfile" "GetInstanceProfile" "ListInstanceProfileTags"
                "RemoveRoleFromInstanceProfile" "TagInstanceProfile" "UntagInstanceProfile";
            profile_and_role: "AddRoleToInstanceProfile";
            provider: "AddClientIDToOpenIDConnectProvider" "CreateOpenIDConnectProvider" "DeleteOpenIDConnectProvider"
                "GetOpenIDConnectProvider" "ListOpenIDConnectProviderTags" "RemoveClientIDFromOpenIDConnectProvider"
                "TagOpenIDConnectProvider" "UntagOpenIDConnectProvider" "UpdateOpenIDConnectProviderThumbprint";
            policy: "CreatePolicyVersion" "DeletePolicy" "DeletePolicyVersion" "GetPolicy" "GetPolicyVersion"
                "ListEntitiesForPolicy" "ListPolicyTags" "ListPolicyVersions" "SetDefaultPolicyVersion" "TagPolicy"
                "UntagPolicy";
            principal: "GetContextKeysForPrincipalPolicy" "SimulatePrincipalPolicy";
            linked: "CreateServiceLinkedRole";
        }
    }

    /// Requests leave out the path of what there is; policies may depend on it.
    fn whole_arn<'a>(&'a self, ctx: &'a Ctx, arn: String) -> BoxFuture<'a, String> {
        Box::pin(async move {
            let found = split(&arn)
                .filter(|(_, path, _)| path.is_empty())
                .and_then(|(kind, _, name)| {
                    self.0.glance(&ctx.account, |realm| {
                        let entry = realm.entry(kind, name)?;
                        let (path, name) = match &entry.value {
                            Record::User(user) => (&user.path, &user.name),
                            Record::Group(group) => (&group.path, &group.name),
                            Record::Role(role) => (&role.path, &role.name),
                            Record::Profile(profile) => (&profile.path, &profile.name),
                            _ => return None,
                        };
                        Some(realm.keys.arn(kind, path, name))
                    })
                });
            found.unwrap_or(arn)
        })
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            if let Some((_, name)) = arn.split_once(":oidc-provider/") {
                let tags = |realm: &Realm<'_>| realm.provider(name).map(|provider| provider.tags.clone());
                return self.0.glance(&ctx.account, tags).unwrap_or_default();
            }
            let Some((kind, _, name)) = split(arn) else {
                return Vec::new();
            };
            self.0.glance(&ctx.account, |realm| {
                match realm.entry(kind, name).map(|entry| &entry.value) {
                    Some(Record::User(user)) => user.tags.clone(),
                    Some(Record::Role(role)) => role.tags.clone(),
                    Some(Record::Policy(policy)) => policy.tags.clone(),
                    Some(Record::Profile(profile)) => profile.tags.clone(),
                    _ => Vec::new(),
                }
            })
        })
    }
}

/// Kind, path without the first slash, and name.
fn split(arn: &str) -> Option<(Kind, &str, &str)> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let (kind, rest) = resource.split_once('/')?;
    let kind = match kind {
        "user" => Kind::User,
        "group" => Kind::Group,
        "role" => Kind::Role,
        "policy" => Kind::Policy,
        "instance-profile" => Kind::Profile,
        _ => return None,
    };
    Some(match rest.rsplit_once('/') {
        Some((path, name)) => (kind, path, name),
        None => (kind, "", rest),
    })
}
