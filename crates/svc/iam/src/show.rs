//! Records as the API shows them. Documents travel percent-encoded, as clients expect.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use roadstead_api_iam as api;
use roadstead_base::Timestamp;

use crate::managed::{CREATED, Managed};
use crate::realm::{Keys, Kind, Realm};
use crate::records::{GroupRecord, PolicyRecord, ProfileRecord, RoleRecord, Tags, UserRecord, VersionRecord};

/// RFC 3986: everything but the unreserved characters.
const SET: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn document(text: &str) -> String {
    utf8_percent_encode(text, SET).to_string()
}

/// Dates have no fractions here.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(1000))
}

pub(crate) fn tags(tags: &Tags) -> Option<Vec<api::Tag>> {
    (!tags.is_empty()).then(|| all_tags(tags))
}

pub(crate) fn all_tags(tags: &Tags) -> Vec<api::Tag> {
    let one = |(key, value): &(String, String)| api::Tag {
        key: key.clone(),
        value: value.clone(),
    };
    tags.iter().map(one).collect()
}

pub(crate) fn boundary(arn: Option<&String>) -> Option<api::AttachedPermissionsBoundary> {
    arn.map(|arn| api::AttachedPermissionsBoundary {
        permissions_boundary_arn: Some(arn.clone()),
        permissions_boundary_type: Some(api::PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy),
    })
}

/// Lists leave out tags and boundaries.
pub(crate) fn user(keys: &Keys, record: &UserRecord, whole: bool) -> api::User {
    api::User {
        arn: keys.arn(Kind::User, &record.path, &record.name),
        create_date: whole_second(record.created),
        path: record.path.clone(),
        user_id: record.id.clone(),
        user_name: record.name.clone(),
        // Nobody signs in with one here.
        password_last_used: None,
        permissions_boundary: boundary(record.boundary.as_ref().filter(|_| whole)),
        tags: tags(&record.tags).filter(|_| whole),
    }
}

pub(crate) fn group(keys: &Keys, record: &GroupRecord) -> api::Group {
    api::Group {
        arn: keys.arn(Kind::Group, &record.path, &record.name),
        create_date: whole_second(record.created),
        group_id: record.id.clone(),
        group_name: record.name.clone(),
        path: record.path.clone(),
    }
}

pub(crate) fn role(keys: &Keys, record: &RoleRecord, whole: bool) -> api::Role {
    api::Role {
        arn: keys.arn(Kind::Role, &record.path, &record.name),
        create_date: whole_second(record.created),
        path: record.path.clone(),
        role_id: record.id.clone(),
        role_name: record.name.clone(),
        assume_role_policy_document: Some(document(&record.trust)),
        description: record.description.clone(),
        max_session_duration: i32::try_from(record.max_session).ok(),
        permissions_boundary: boundary(record.boundary.as_ref().filter(|_| whole)),
        role_last_used: None,
        tags: tags(&record.tags).filter(|_| whole),
    }
}

/// Lists leave out tags.
pub(crate) fn profile(realm: &Realm<'_>, record: &ProfileRecord, whole: bool) -> api::InstanceProfile {
    let role_of = |name: &String| realm.role(name).ok();
    let roles = record.role.iter().filter_map(role_of);
    api::InstanceProfile {
        arn: realm.keys.arn(Kind::Profile, &record.path, &record.name),
        create_date: whole_second(record.created),
        instance_profile_id: record.id.clone(),
        instance_profile_name: record.name.clone(),
        path: record.path.clone(),
        roles: roles.map(|record| role(realm.keys, record, false)).collect(),
        tags: tags(&record.tags).filter(|_| whole),
    }
}

/// How often a policy is attached, and how often it bounds somebody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) attached: i32,
    pub(crate) bounds: i32,
}

pub(crate) fn own_policy(keys: &Keys, record: &PolicyRecord, usage: Usage, whole: bool) -> api::Policy {
    api::Policy {
        arn: Some(keys.arn(Kind::Policy, &record.path, &record.name)),
        attachment_count: Some(usage.attached),
        create_date: Some(whole_second(record.created)),
        default_version_id: Some(version_id(record.default)),
        description: record.description.clone().filter(|_| whole),
        is_attachable: Some(true),
        path: Some(record.path.clone()),
        permissions_boundary_usage_count: Some(usage.bounds),
        policy_id: Some(record.id.clone()),
        policy_name: Some(record.name.clone()),
        tags: tags(&record.tags).filter(|_| whole),
        update_date: Some(whole_second(record.updated)),
    }
}

pub(crate) fn everybodys_policy(managed: &Managed, usage: Usage, whole: bool) -> api::Policy {
    api::Policy {
        arn: Some(managed.arn.clone()),
        attachment_count: Some(usage.attached),
        create_date: Some(CREATED),
        default_version_id: Some(version_id(1)),
        description: whole.then(|| managed.description.clone()),
        is_attachable: Some(true),
        path: Some(managed.path.clone()),
        permissions_boundary_usage_count: Some(usage.bounds),
        policy_id: Some(managed.id.clone()),
        policy_name: Some(managed.name.clone()),
        tags: None,
        update_date: Some(CREATED),
    }
}

pub(crate) fn version_id(number: u32) -> String {
    format!("v{number}")
}

pub(crate) fn version(record: &VersionRecord, default: u32, whole: bool) -> api::PolicyVersion {
    api::PolicyVersion {
        create_date: Some(whole_second(record.created)),
        document: whole.then(|| document(&record.document)),
        is_default_version: Some(record.number == default),
        version_id: Some(version_id(record.number)),
    }
}
