//! Service-linked roles: a service's own role in an account, which only the service shapes.

mod uses;

use roadstead_api_iam::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionTaskFailureReasonType, DeletionTaskStatusType,
    GetServiceLinkedRoleDeletionStatusRequest, GetServiceLinkedRoleDeletionStatusResponse, RoleUsageType,
};
use roadstead_base::Ctx;

use crate::error::{Result, input as invalid, none, quota};
use crate::ids::unique;
use crate::limits;
use crate::ops::roles::DEFAULT_SESSION;
use crate::realm::{Kind, Realm};
use crate::records::{Grants, Record, RoleRecord};
use crate::service::Iam;
use crate::show;

/// A service that has such a role.
struct Service {
    principal: &'static str,
    role: &'static str,
    /// Whether the role's name can have a suffix.
    suffixes: bool,
    /// Asks it what of its things in a region need the role; without, nothing does.
    uses: Option<uses::Ask>,
}

const SERVICES: &[Service] = &[
    Service {
        principal: "autoscaling.amazonaws.com",
        role: "AWSServiceRoleForAutoScaling",
        suffixes: true,
        uses: None,
    },
    Service {
        principal: "ecs.application-autoscaling.amazonaws.com",
        role: "AWSServiceRoleForApplicationAutoScaling_ECSService",
        suffixes: false,
        uses: None,
    },
    Service {
        principal: "ecs.amazonaws.com",
        role: "AWSServiceRoleForECS",
        suffixes: false,
        uses: Some(|dispatcher, ctx| Box::pin(uses::clusters(dispatcher, ctx))),
    },
    Service {
        principal: "elasticloadbalancing.amazonaws.com",
        role: "AWSServiceRoleForElasticLoadBalancing",
        suffixes: false,
        uses: None,
    },
    Service {
        principal: "events.amazonaws.com",
        role: "AWSServiceRoleForCloudWatchEvents",
        suffixes: false,
        uses: None,
    },
    Service {
        principal: "lambda.amazonaws.com",
        role: "AWSServiceRoleForLambda",
        suffixes: false,
        uses: None,
    },
];
/// Deletions that are remembered.
const MAX_DELETIONS: usize = 100;
const IN_USE: &str = "The service-linked role is in use. Delete the resources that use it, and try again.";

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
    let known = SERVICES.iter().find(|it| it.principal == aws_service_name);
    let Some(Service {
        principal: service,
        role: name,
        suffixes,
        uses: _,
    }) = known
    else {
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

/// What the deletion comes to is known at once, and told to whoever asks for the task: a role that its service still
/// needs stays.
pub(crate) async fn delete(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteServiceLinkedRoleRequest,
) -> Result<DeleteServiceLinkedRoleResponse> {
    let DeleteServiceLinkedRoleRequest { role_name } = input;
    let task = roadstead_base::random_uuid();
    let linked = |realm: &Realm<'_>| {
        let role = realm.role(&role_name)?;
        let service = role
            .linked
            .clone()
            .ok_or_else(|| invalid(format!("The role {role_name} is not a service-linked role.")))?;
        Ok((role.name.clone(), service))
    };
    let (_, service) = iam.read(ctx, linked).await?;
    let known = SERVICES.iter().find(|it| it.principal == service);
    let in_use = match known.and_then(|it| it.uses) {
        Some(ask) => uses::everywhere(iam, ctx, ask).await?,
        None => Vec::new(),
    };
    iam.change(ctx, |realm, plan| {
        let (role, service) = linked(realm)?;
        let id = format!("task/aws-service-role/{service}/{role}/{task}");
        let mut account = realm.account();
        account.deletions.push(id.clone());
        let surplus = account.deletions.len().saturating_sub(MAX_DELETIONS);
        for forgotten in account.deletions.drain(..surplus) {
            account.in_use.remove(&forgotten);
        }
        if in_use.is_empty() {
            plan.delete(Kind::Role, &role);
        } else {
            account.in_use.insert(id.clone(), in_use.clone());
        }
        plan.put_account(account);
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
        let account = realm.account();
        if !account.deletions.contains(&deletion_task_id) {
            return Err(none("deletion task", &deletion_task_id));
        }
        let Some(in_use) = account.in_use.get(&deletion_task_id) else {
            return Ok(GetServiceLinkedRoleDeletionStatusResponse {
                status: DeletionTaskStatusType::Succeeded,
                reason: None,
            });
        };
        let usage = in_use.iter().map(|it| RoleUsageType {
            region: Some(it.region.clone()),
            resources: Some(it.resources.clone()),
        });
        Ok(GetServiceLinkedRoleDeletionStatusResponse {
            status: DeletionTaskStatusType::Failed,
            reason: Some(DeletionTaskFailureReasonType {
                reason: Some(IN_USE.to_owned()),
                role_usage_list: Some(usage.collect()),
            }),
        })
    })
    .await
}
