//! Instance profiles: a role in a wrapping that machines can be given.

use roadstead_api_iam::{
    AddRoleToInstanceProfileRequest, CreateInstanceProfileRequest, CreateInstanceProfileResponse,
    DeleteInstanceProfileRequest, GetInstanceProfileRequest, GetInstanceProfileResponse,
    ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse, ListInstanceProfilesRequest,
    ListInstanceProfilesResponse, RemoveRoleFromInstanceProfileRequest,
};
use roadstead_base::Ctx;

use crate::error::{Result, already, conflict, none, quota};
use crate::ids::unique;
use crate::limits;
use crate::ops::roles::refuse_linked;
use crate::ops::tagging::checked_tags;
use crate::ops::users::NO_PATH;
use crate::page::page;
use crate::realm::Kind;
use crate::records::{ProfileRecord, Record};
use crate::service::Iam;
use crate::show;

pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse> {
    let CreateInstanceProfileRequest {
        instance_profile_name,
        path,
        tags,
    } = input;
    let record = ProfileRecord {
        name: instance_profile_name,
        path: path.unwrap_or_else(|| NO_PATH.to_owned()),
        id: unique("AIPA"),
        created: iam.clock.now(),
        tags: checked_tags(Kind::Profile, tags)?,
        role: None,
    };
    iam.change(ctx, |realm, plan| {
        if realm.profile(&record.name).is_ok() {
            let name = &record.name;
            return Err(already(format!("Instance Profile {name} already exists.")));
        }
        if realm.profiles().len() >= limits::PROFILES {
            return Err(quota("InstanceProfilesPerAccount", limits::PROFILES));
        }
        plan.put(Kind::Profile, &record.name, Record::Profile(record.clone()));
        Ok(CreateInstanceProfileResponse {
            instance_profile: show::profile(realm, &record, true),
        })
    })
    .await
}

pub(crate) async fn get(
    iam: &Iam,
    ctx: &Ctx,
    input: GetInstanceProfileRequest,
) -> Result<GetInstanceProfileResponse> {
    let GetInstanceProfileRequest {
        instance_profile_name,
    } = input;
    iam.read(ctx, |realm| {
        let profile = realm.profile(&instance_profile_name)?;
        Ok(GetInstanceProfileResponse {
            instance_profile: show::profile(realm, profile, true),
        })
    })
    .await
}

pub(crate) async fn list(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfilesRequest,
) -> Result<ListInstanceProfilesResponse> {
    let ListInstanceProfilesRequest {
        marker,
        max_items,
        path_prefix,
    } = input;
    iam.read(ctx, |realm| {
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let profiles = realm.profiles();
        let items = profiles
            .iter()
            .filter(|profile| profile.path.starts_with(prefix))
            .map(|profile| (profile.name.to_lowercase(), show::profile(realm, profile, false)));
        let page = page(
            ctx,
            &format!("ListInstanceProfiles/{prefix}"),
            items,
            marker,
            max_items,
        )?;
        Ok(ListInstanceProfilesResponse {
            instance_profiles: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn list_for_role(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse> {
    let ListInstanceProfilesForRoleRequest {
        role_name,
        marker,
        max_items,
    } = input;
    iam.read(ctx, |realm| {
        let role = realm.role(&role_name)?;
        let profiles = realm.profiles();
        let holds = |profile: &&&ProfileRecord| {
            let name = profile.role.as_ref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(&role.name))
        };
        let items = profiles
            .iter()
            .filter(holds)
            .map(|profile| (profile.name.to_lowercase(), show::profile(realm, profile, true)));
        let scope = format!("ListInstanceProfilesForRole/{}", role.id);
        let page = page(ctx, &scope, items, marker, max_items)?;
        Ok(ListInstanceProfilesForRoleResponse {
            instance_profiles: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteInstanceProfileRequest) -> Result<()> {
    let DeleteInstanceProfileRequest {
        instance_profile_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let profile = realm.profile(&instance_profile_name)?;
        if profile.role.is_some() {
            return Err(conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        plan.delete(Kind::Profile, &profile.name);
        Ok(())
    })
    .await
}

pub(crate) async fn add_role(iam: &Iam, ctx: &Ctx, input: AddRoleToInstanceProfileRequest) -> Result<()> {
    let AddRoleToInstanceProfileRequest {
        instance_profile_name,
        role_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let mut profile = realm.profile(&instance_profile_name)?.clone();
        let role = realm.role(&role_name)?;
        refuse_linked(role)?;
        if profile.role.is_some() {
            return Err(quota(
                "InstanceSessionsPerInstanceProfile",
                limits::ROLES_PER_PROFILE,
            ));
        }
        profile.role = Some(role.name.clone());
        plan.put(Kind::Profile, &profile.name.clone(), Record::Profile(profile));
        Ok(())
    })
    .await
}

pub(crate) async fn remove_role(
    iam: &Iam,
    ctx: &Ctx,
    input: RemoveRoleFromInstanceProfileRequest,
) -> Result<()> {
    let RemoveRoleFromInstanceProfileRequest {
        instance_profile_name,
        role_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let mut profile = realm.profile(&instance_profile_name)?.clone();
        let held = profile.role.as_ref();
        if !held.is_some_and(|held| held.eq_ignore_ascii_case(&role_name)) {
            return Err(none("role", &role_name));
        }
        profile.role = None;
        plan.put(Kind::Profile, &profile.name.clone(), Record::Profile(profile));
        Ok(())
    })
    .await
}
