//! Service-linked roles: a service's own role in an account, which only the service shapes.

use roadstead_api_iam::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse,
};
use roadstead_base::Ctx;

use crate::error::{Result, input as invalid, none, quota};
use crate::ids::unique;
use crate::limits;
use crate::ops::roles::DEFAULT_SESSION;
use crate::realm::Kind;
use crate::records::{Grants, Record, RoleRecord};
use crate::service::Iam;
use crate::show;

/// Services that have such a role, what it is called, and whether its name can have a suffix.
const SERVICES: &[(&str, &str, bool)] = &[
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", true),
    (
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        false,
    ),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS", false),
    (
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        false,
    ),
    ("events.amazonaws.com", "AWSServiceRoleForCloudWatchEvents", false),
    ("lambda.amazonaws.com", "AWSServiceRoleForLambda", false),
];
/// Deletions that are remembered.
const MAX_DELETIONS: usize = 100;

/// With a name that is taken it is an error, as documented.
pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateServiceLinkedRoleRequest,
) -> Result<CreateServiceLinkedRoleResponse> {
    let CreateServiceLinkedRoleRequest {
        aws_service_name,
        custom_suffix,
        description,
    } = input;
    let known = SERVICES
        .iter()
        .find(|(service, _, _)| *service == aws_service_name);
    let Some((service, name, suffixes)) = known else {
        return Err(invalid(format!(
            "The service {aws_service_name} has no service-linked role here."
        )));
    };
    let name = match custom_suffix {
        Some(_) if !suffixes => {
            return Err(invalid(format!("Custom suffix is not allowed for {service}")));
        }
        Some(suffix) => format!("{name}_{suffix}"),
        None => (*name).to_owned(),
    };
    let trust = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }],
    });
    let record = RoleRecord {
        name,
        path: format!("/aws-service-role/{service}/"),
        id: unique("AROA"),
        created: iam.clock.now(),
        description,
        trust: trust.to_string(),
        max_session: DEFAULT_SESSION,
        tags: Vec::new(),
        boundary: None,
        grants: Grants::default(),
        linked: Some((*service).to_owned()),
    };
    iam.change(ctx, |realm, plan| {
        if realm.role(&record.name).is_ok() {
            return Err(invalid(format!(
                "Service role name {} has been taken in this account, please try a different suffix.",
                record.name
            )));
        }
        if realm.roles().len() >= limits::ROLES {
            return Err(quota("RolesPerAccount", limits::ROLES));
        }
        plan.put(Kind::Role, &record.name, Record::Role(record.clone()));
        Ok(CreateServiceLinkedRoleResponse {
            role: Some(show::role(realm.keys, &record, true)),
        })
    })
    .await
}

/// It goes at once, whoever still uses it, and the task that clients ask for has then succeeded. The vendor's fails while
/// the service has something that needs it.
pub(crate) async fn delete(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteServiceLinkedRoleRequest,
) -> Result<DeleteServiceLinkedRoleResponse> {
    let DeleteServiceLinkedRoleRequest { role_name } = input;
    let task = roadstead_base::random_uuid();
    iam.change(ctx, |realm, plan| {
        let role = realm.role(&role_name)?;
        let Some(service) = &role.linked else {
            return Err(invalid(format!(
                "The role {role_name} is not a service-linked role."
            )));
        };
        let id = format!("task/aws-service-role/{service}/{}/{task}", role.name);
        let mut account = realm.account();
        account.deletions.push(id.clone());
        let surplus = account.deletions.len().saturating_sub(MAX_DELETIONS);
        account.deletions.drain(..surplus);
        plan.put_account(account);
        plan.delete(Kind::Role, &role.name);
        Ok(DeleteServiceLinkedRoleResponse { deletion_task_id: id })
    })
    .await
}

pub(crate) async fn deletion_status(
    iam: &Iam,
    ctx: &Ctx,
    input: GetServiceLinkedRoleDeletionStatusRequest,
) -> Result<GetServiceLinkedRoleDeletionStatusResponse> {
    let GetServiceLinkedRoleDeletionStatusRequest { deletion_task_id } = input;
    iam.read(ctx, |realm| {
        if !realm.account().deletions.contains(&deletion_task_id) {
            return Err(none("deletion task", &deletion_task_id));
        }
        Ok(GetServiceLinkedRoleDeletionStatusResponse {
            status: DeletionTaskStatusType::Succeeded,
            reason: None,
        })
    })
    .await
}
