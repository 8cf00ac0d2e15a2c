//! GetAccountAuthorizationDetails: everybody and everything that decides who may do what, in one listing.

use roadstead_api_iam::{
    AttachedPolicy, EntityType, GetAccountAuthorizationDetailsRequest,
    GetAccountAuthorizationDetailsResponse, GroupDetail, ManagedPolicyDetail, Policy, PolicyDetail,
    PolicyVersion, RoleDetail, RoleLastUsed, UserDetail,
};
use roadstead_base::Ctx;

use crate::error::Result;
use crate::managed::{self, Managed};
use crate::ops::policies::usages;
use crate::ops::versions::only_version;
use crate::page::page;
use crate::realm::{Kind, Realm};
use crate::records::{Grants, GroupRecord, PolicyRecord, RoleRecord, UserRecord};
use crate::service::Iam;
use crate::show::{self, Usage};

/// What the listing goes through, in its order.
enum Found<'a> {
    User(&'a UserRecord),
    Group(&'a GroupRecord),
    Role(&'a RoleRecord),
    Own(&'a PolicyRecord),
    Everybodys(&'static Managed),
}

pub(crate) async fn details(
    iam: &Iam,
    ctx: &Ctx,
    input: GetAccountAuthorizationDetailsRequest,
) -> Result<GetAccountAuthorizationDetailsResponse> {
    let GetAccountAuthorizationDetailsRequest {
        filter,
        marker,
        max_items,
    } = input;
    let mut filter = filter.unwrap_or_default();
    filter.sort_by_key(|kind| kind.as_str().to_owned());
    filter.dedup();
    iam.read(ctx, |realm| {
        let wanted = |kind: EntityType| filter.is_empty() || filter.contains(&kind);
        let mut all: Vec<(String, Found<'_>)> = Vec::new();
        let at = |kind: &str, name: &str| format!("{kind}/{}", name.to_lowercase());
        if wanted(EntityType::User) {
            let users = realm.users().into_iter();
            all.extend(users.map(|user| (at("1", &user.name), Found::User(user))));
        }
        if wanted(EntityType::Group) {
            let groups = realm.groups().into_iter();
            all.extend(groups.map(|group| (at("2", &group.name), Found::Group(group))));
        }
        if wanted(EntityType::Role) {
            let roles = realm.roles().into_iter();
            all.extend(roles.map(|role| (at("3", &role.name), Found::Role(role))));
        }
        if wanted(EntityType::LocalManagedPolicy) {
            let policies = realm.own_policies().into_iter();
            all.extend(policies.map(|policy| (at("4", &policy.name), Found::Own(policy))));
        }
        if wanted(EntityType::AwsManagedPolicy) {
            let policies = managed::all().into_iter();
            all.extend(policies.map(|policy| (at("5", &policy.arn), Found::Everybodys(policy))));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let page = page(
            ctx,
            &format!("GetAccountAuthorizationDetails/{filter:?}"),
            all,
            marker,
            max_items,
        )?;
        let usages = usages(realm);
        let usage = |arn: &str| usages.get(arn).copied().unwrap_or_default();
        let (mut users, mut groups, mut roles, mut policies) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for found in page.items {
            match found {
                Found::User(record) => users.push(user(realm, record)),
                Found::Group(record) => groups.push(group(realm, record)),
                Found::Role(record) => roles.push(role(iam, realm, record)),
                Found::Own(record) => {
                    let arn = realm.keys.arn(Kind::Policy, &record.path, &record.name);
                    policies.push(own(realm, record, usage(&arn)));
                }
                Found::Everybodys(managed) => policies.push(everybodys(managed, usage(&managed.arn))),
            }
        }
        Ok(GetAccountAuthorizationDetailsResponse {
            user_detail_list: Some(users),
            group_detail_list: Some(groups),
            role_detail_list: Some(roles),
            policies: Some(policies),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

fn inline(grants: &Grants) -> Option<Vec<PolicyDetail>> {
    let one = |(name, document): (&String, &String)| PolicyDetail {
        policy_name: Some(name.clone()),
        policy_document: Some(show::document(document)),
    };
    Some(grants.inline.iter().map(one).collect())
}

fn attached(grants: &Grants) -> Option<Vec<AttachedPolicy>> {
    let one = |arn: &String| AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn.clone()),
    };
    Some(grants.attached.iter().map(one).collect())
}

fn user(realm: &Realm<'_>, record: &UserRecord) -> UserDetail {
    let groups = realm.groups();
    let mine = groups.iter().filter(|group| record.groups.contains(&group.id));
    UserDetail {
        arn: Some(realm.keys.arn(Kind::User, &record.path, &record.name)),
        attached_managed_policies: attached(&record.grants),
        create_date: Some(show::whole_second(record.created)),
        group_list: Some(mine.map(|group| group.name.clone()).collect()),
        path: Some(record.path.clone()),
        permissions_boundary: show::boundary(record.boundary.as_ref()),
        tags: Some(show::all_tags(&record.tags)),
        user_id: Some(record.id.clone()),
        user_name: Some(record.name.clone()),
        user_policy_list: inline(&record.grants),
    }
}

fn group(realm: &Realm<'_>, record: &GroupRecord) -> GroupDetail {
    GroupDetail {
        arn: Some(realm.keys.arn(Kind::Group, &record.path, &record.name)),
        attached_managed_policies: attached(&record.grants),
        create_date: Some(show::whole_second(record.created)),
        group_id: Some(record.id.clone()),
        group_name: Some(record.name.clone()),
        group_policy_list: inline(&record.grants),
        path: Some(record.path.clone()),
    }
}

fn role(iam: &Iam, realm: &Realm<'_>, record: &RoleRecord) -> RoleDetail {
    let arn = realm.keys.arn(Kind::Role, &record.path, &record.name);
    let mut profiles = realm.profiles();
    profiles.retain(|profile| {
        let name = profile.role.as_ref();
        name.is_some_and(|name| name.eq_ignore_ascii_case(&record.name))
    });
    let used = iam.last_used(&arn);
    RoleDetail {
        assume_role_policy_document: Some(show::document(&record.trust)),
        attached_managed_policies: attached(&record.grants),
        create_date: Some(show::whole_second(record.created)),
        instance_profile_list: Some(
            profiles
                .into_iter()
                .map(|profile| show::profile(realm, profile, true))
                .collect(),
        ),
        path: Some(record.path.clone()),
        permissions_boundary: show::boundary(record.boundary.as_ref()),
        role_id: Some(record.id.clone()),
        role_last_used: Some(used.map_or_else(RoleLastUsed::default, |used| RoleLastUsed {
            last_used_date: Some(show::whole_second(used.at)),
            region: Some(used.region),
        })),
        role_name: Some(record.name.clone()),
        role_policy_list: inline(&record.grants),
        tags: Some(show::all_tags(&record.tags)),
        arn: Some(arn),
    }
}

fn own(realm: &Realm<'_>, record: &PolicyRecord, usage: Usage) -> ManagedPolicyDetail {
    let mut versions: Vec<_> = record.versions.iter().collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    let versions = versions.into_iter();
    let versions = versions.map(|version| show::version(version, record.default, true));
    detail(
        show::own_policy(realm.keys, record, usage, true),
        versions.collect(),
    )
}

fn everybodys(managed: &Managed, usage: Usage) -> ManagedPolicyDetail {
    let versions = vec![only_version(managed, true)];
    detail(show::everybodys_policy(managed, usage, true), versions)
}

fn detail(policy: Policy, versions: Vec<PolicyVersion>) -> ManagedPolicyDetail {
    let Policy {
        arn,
        attachment_count,
        create_date,
        default_version_id,
        description,
        is_attachable,
        path,
        permissions_boundary_usage_count,
        policy_id,
        policy_name,
        // The model has no place for them.
        tags: _tags,
        update_date,
    } = policy;
    ManagedPolicyDetail {
        arn,
        attachment_count,
        create_date,
        default_version_id,
        description,
        is_attachable,
        path,
        permissions_boundary_usage_count,
        policy_id,
        policy_name,
        policy_version_list: Some(versions),
        update_date,
    }
}
