//! What the operations mean to policies: which action, on which ARNs, with which condition keys.
//! Source: "Actions, resources, and condition keys for Amazon Elastic Container Service" in the Service Authorization
//! Reference.

use std::sync::Arc;

use roadstead_base::{Arn, Ctx};
use roadstead_dispatch::{Asking, Need, Permissions, Rule, text};
use roadstead_protocol::{BoxFuture, Value};

use crate::Ecs;
use crate::definitions::find;
use crate::names::{DEFAULT_CLUSTER, TaskDefinitionRef};
use crate::tags::tags_of;

const SERVICE: &str = "ecs";
/// What task and execution roles are handed to.
pub(crate) const TASKS_PRINCIPAL: &str = "ecs-tasks.amazonaws.com";

/// The service's table, and its resources' tags.
pub struct EcsPermissions(Arc<Ecs>);

impl EcsPermissions {
    pub fn of(ecs: &Arc<Ecs>) -> Arc<dyn Permissions> {
        Arc::new(Self(Arc::clone(ecs)))
    }
}

/// The ARN of a cluster that is named by name or ARN, or not named.
fn cluster_arn(asking: &Asking<'_>, named: Option<&str>) -> String {
    let named = named.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_CLUSTER);
    if named.starts_with("arn:") {
        return named.to_owned();
    }
    asking.arn(SERVICE, &format!("cluster/{named}"))
}

fn own_cluster(asking: &Asking<'_>) -> String {
    cluster_arn(asking, asking.text("cluster"))
}

/// The ARN of something of a cluster that is named by its id or ARN.
fn of_cluster(asking: &Asking<'_>, kind: &str, id: &str) -> String {
    let cluster = own_cluster(asking);
    let name = cluster.rsplit('/').next().unwrap_or(DEFAULT_CLUSTER).to_owned();
    asking.arn(
        SERVICE,
        &if id.starts_with("arn:") {
            id.to_owned()
        } else {
            format!("{kind}/{name}/{id}")
        },
    )
}

fn definition_arn(asking: &Asking<'_>, named: &str) -> String {
    if named.starts_with("arn:") {
        return named.to_owned();
    }
    asking.arn(SERVICE, &format!("task-definition/{named}"))
}

fn action(asking: &Asking<'_>) -> Need {
    Need::new(format!("{SERVICE}:{}", asking.operation))
}

/// Tags in the request that makes something need leave to tag.
fn with_tags(asking: &Asking<'_>, need: Need, resource: String) -> Vec<Need> {
    let tags = asking.tags("tags");
    let mut needs = vec![need.tagging(&tags)];
    if !tags.is_empty() {
        let tagging = Need::new("ecs:TagResource")
            .on([resource])
            .with("ecs:CreateAction", asking.operation)
            .tagging(&tags);
        needs.push(tagging);
    }
    needs
}

fn create_cluster(asking: &Asking<'_>) -> Vec<Need> {
    let named = cluster_arn(asking, asking.text("clusterName"));
    with_tags(asking, action(asking), named)
}

/// One that the request names.
fn cluster(asking: &Asking<'_>) -> Vec<Need> {
    vec![action(asking).on([own_cluster(asking)])]
}

fn describe_clusters(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.texts("clusters");
    let arns: Vec<String> = if named.is_empty() {
        vec![cluster_arn(asking, None)]
    } else {
        named
            .into_iter()
            .map(|name| cluster_arn(asking, Some(name)))
            .collect()
    };
    vec![action(asking).on(arns)]
}

fn register_instance(asking: &Asking<'_>) -> Vec<Need> {
    let need = action(asking).on([own_cluster(asking)]);
    with_tags(asking, need, of_cluster(asking, "container-instance", "*"))
}

fn instances(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.texts("containerInstances");
    let arns: Vec<String> = named
        .into_iter()
        .map(|id| of_cluster(asking, "container-instance", id))
        .collect();
    vec![action(asking).on(arns).with("ecs:cluster", own_cluster(asking))]
}

/// The instances that attributes are put on.
fn attributes(asking: &Asking<'_>) -> Vec<Need> {
    let targets = match asking.input.get("attributes") {
        Some(Value::List(attributes)) => attributes.iter().filter_map(|it| text(it, "targetId")).collect(),
        _ => Vec::new(),
    };
    let arns: Vec<String> = targets
        .into_iter()
        .map(|id| of_cluster(asking, "container-instance", id))
        .collect();
    vec![action(asking).on(arns).with("ecs:cluster", own_cluster(asking))]
}

fn provider_arn(asking: &Asking<'_>, named: &str) -> String {
    if named.starts_with("arn:") {
        return named.to_owned();
    }
    asking.arn(SERVICE, &format!("capacity-provider/{named}"))
}

fn provider(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.text("name").or_else(|| asking.text("capacityProvider"));
    let arn = provider_arn(asking, named.unwrap_or("*"));
    with_tags(asking, action(asking).on([arn.clone()]), arn)
}

fn providers(asking: &Asking<'_>) -> Vec<Need> {
    let mut named = asking.texts("capacityProviders");
    if named.is_empty() {
        named.push("*");
    }
    let arns: Vec<String> = named.into_iter().map(|name| provider_arn(asking, name)).collect();
    vec![action(asking).on(arns)]
}

fn list_tasks(asking: &Asking<'_>) -> Vec<Need> {
    let instance = asking.text("containerInstance").unwrap_or("*");
    let resource = of_cluster(asking, "container-instance", instance);
    vec![
        action(asking)
            .on([resource])
            .with("ecs:cluster", own_cluster(asking)),
    ]
}

fn tasks(asking: &Asking<'_>) -> Vec<Need> {
    let mut named = asking.texts("tasks");
    named.extend(asking.text("task"));
    let arns: Vec<String> = named
        .into_iter()
        .map(|id| of_cluster(asking, "task", id))
        .collect();
    vec![action(asking).on(arns).with("ecs:cluster", own_cluster(asking))]
}

/// Roles that a structure of the request hands to tasks.
fn passed(asking: &Asking<'_>, from: Option<&Value>) -> Vec<Need> {
    let role = |member| from.and_then(|value| text(value, member));
    [role("taskRoleArn"), role("executionRoleArn")]
        .into_iter()
        .flatten()
        .map(|role| Need::pass_role(role_arn(asking.ctx, role), TASKS_PRINCIPAL))
        .collect()
}

/// A task definition may name a role by its name alone.
pub(crate) fn role_arn(ctx: &Ctx, named: &str) -> String {
    if named.starts_with("arn:") {
        return named.to_owned();
    }
    format!("arn:aws:iam::{}:role/{named}", ctx.account)
}

fn register_definition(asking: &Asking<'_>) -> Vec<Need> {
    let family = asking.text("family").unwrap_or("*");
    let resource = definition_arn(asking, &format!("{family}:*"));
    let need = action(asking)
        .on([resource.clone()])
        .with_some("ecs:task-cpu", asking.text("cpu"))
        .with_some("ecs:task-memory", asking.text("memory"));
    let need = asking
        .texts("requiresCompatibilities")
        .into_iter()
        .fold(need, |need, kind| need.with("ecs:compute-compatibility", kind));
    let privileged = match asking.input.get("containerDefinitions") {
        Some(Value::List(containers)) => containers
            .iter()
            .any(|container| container.get("privileged") == Some(&Value::Bool(true))),
        _ => false,
    };
    let privileged = if privileged { "enabled" } else { "disabled" };
    let mut needs = with_tags(asking, need.with("ecs:privileged", privileged), resource);
    needs.extend(passed(asking, Some(asking.input)));
    needs
}

fn delete_definitions(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.texts("taskDefinitions");
    vec![action(asking).on(named.into_iter().map(|named| definition_arn(asking, named)))]
}

fn start(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.text("taskDefinition").unwrap_or("*");
    let exec = asking.input.get("enableExecuteCommand") == Some(&Value::Bool(true));
    let mut need = action(asking)
        .on([definition_arn(asking, named)])
        .with("ecs:cluster", own_cluster(asking))
        .with("ecs:enable-execute-command", exec.to_string());
    for id in asking.texts("containerInstances") {
        need = need.with(
            "ecs:container-instances",
            of_cluster(asking, "container-instance", id),
        );
    }
    let mut needs = with_tags(asking, need, of_cluster(asking, "task", "*"));
    needs.extend(passed(asking, asking.input.get("overrides")));
    needs
}

fn service_arn(asking: &Asking<'_>, named: &str) -> String {
    of_cluster(asking, "service", named)
}

/// One that the request names.
fn service(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking
        .text("service")
        .or(asking.text("serviceName"))
        .unwrap_or("*");
    vec![
        action(asking)
            .on([service_arn(asking, named)])
            .with("ecs:cluster", own_cluster(asking)),
    ]
}

fn make_service(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking
        .text("service")
        .or(asking.text("serviceName"))
        .unwrap_or("*");
    let resource = service_arn(asking, named);
    let definition = asking
        .text("taskDefinition")
        .map(|named| definition_arn(asking, named));
    let exec = asking.input.get("enableExecuteCommand") == Some(&Value::Bool(true));
    let need = action(asking)
        .on([resource.clone()])
        .with("ecs:cluster", own_cluster(asking))
        .with_some("ecs:task-definition", definition.as_deref())
        .with("ecs:enable-execute-command", exec.to_string());
    with_tags(asking, need, resource)
}

/// Task sets of a service that the request names.
fn task_sets(asking: &Asking<'_>) -> Vec<Need> {
    let service = service_arn(asking, asking.text("service").unwrap_or("*"));
    let name = service.rsplit('/').next().unwrap_or("*").to_owned();
    let mut named = asking.texts("taskSets");
    named.extend(asking.text("taskSet"));
    if named.is_empty() {
        // One that is not there yet, or all of them.
        named.push("*");
    }
    let arns: Vec<String> = named
        .into_iter()
        .map(|id| match id.starts_with("arn:") {
            true => id.to_owned(),
            false => of_cluster(asking, "task-set", &format!("{name}/{id}")),
        })
        .collect();
    let definition = asking
        .text("taskDefinition")
        .map(|named| definition_arn(asking, named));
    let need = action(asking)
        .on(arns.clone())
        .with("ecs:cluster", own_cluster(asking))
        .with("ecs:service", service)
        .with_some("ecs:task-definition", definition.as_deref());
    with_tags(asking, need, arns.into_iter().next().unwrap_or_default())
}

fn services(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.texts("services");
    let arns: Vec<String> = named.into_iter().map(|name| service_arn(asking, name)).collect();
    vec![action(asking).on(arns).with("ecs:cluster", own_cluster(asking))]
}

/// The service that a deployment or a revision is of, and its cluster, by the ARN of what is of it.
fn history(asking: &Asking<'_>) -> Vec<Need> {
    let mut named = asking.texts("serviceDeploymentArns");
    named.extend(asking.texts("serviceRevisionArns"));
    named.extend(asking.text("serviceDeploymentArn"));
    let needs = named.into_iter().map(|arn| {
        let need = action(asking).on([arn.to_owned()]);
        match arn.split('/').collect::<Vec<_>>().as_slice() {
            [_, cluster, service, _] => {
                let of = |kind: &str| asking.arn(SERVICE, kind);
                need.with("ecs:cluster", of(&format!("cluster/{cluster}")))
                    .with("ecs:service", of(&format!("service/{cluster}/{service}")))
            }
            _ => need,
        }
    });
    needs.collect()
}

fn list_services(asking: &Asking<'_>) -> Vec<Need> {
    vec![action(asking).with("ecs:cluster", own_cluster(asking))]
}

fn tagged(asking: &Asking<'_>) -> Vec<Need> {
    let resource = asking.text("resourceArn").unwrap_or("*").to_owned();
    let need = action(asking)
        .on([resource])
        .tagging(&asking.tags("tags"))
        .untagging(&asking.texts("tagKeys"));
    vec![need]
}

macro_rules! rules {
    ($($needs:ident: $($operation:literal)*;)*) => {
        &[$($(Rule { operation: $operation, needs: $needs },)*)*]
    };
}

impl Permissions for EcsPermissions {
    fn rules(&self) -> &'static [Rule] {
        rules! {
            create_cluster: "CreateCluster";
            cluster: "DeleteCluster" "DeregisterContainerInstance" "ListAttributes" "ListContainerInstances"
                "PutClusterCapacityProviders" "SubmitAttachmentStateChanges" "UpdateCluster" "UpdateClusterSettings";
            attributes: "DeleteAttributes" "PutAttributes";
            provider: "CreateCapacityProvider" "DeleteCapacityProvider" "UpdateCapacityProvider";
            providers: "DescribeCapacityProviders";
            describe_clusters: "DescribeClusters";
            register_instance: "RegisterContainerInstance";
            instances: "DescribeContainerInstances" "UpdateContainerInstancesState";
            list_tasks: "ListTasks";
            tasks: "DescribeTasks" "GetTaskProtection" "UpdateTaskProtection" "StopTask";
            register_definition: "RegisterTaskDefinition";
            delete_definitions: "DeleteTaskDefinitions";
            start: "RunTask" "StartTask";
            make_service: "CreateService" "UpdateService";
            service: "DeleteService" "ListServiceDeployments" "UpdateServicePrimaryTaskSet";
            task_sets: "CreateTaskSet" "DeleteTaskSet" "DescribeTaskSets" "UpdateTaskSet";
            history: "ContinueServiceDeployment" "DescribeServiceDeployments" "DescribeServiceRevisions"
                "StopServiceDeployment";
            services: "DescribeServices";
            list_services: "ListServices";
            tagged: "ListTagsForResource" "TagResource" "UntagResource";
        }
    }

    /// A family alone means its latest revision.
    fn whole_arn<'a>(&'a self, ctx: &'a Ctx, arn: String) -> BoxFuture<'a, String> {
        Box::pin(async move {
            let Ok(parsed) = arn.parse::<Arn>() else {
                return arn;
            };
            let Some(family) = parsed
                .resource_of("task-definition")
                .filter(|name| !name.contains([':', '*']))
            else {
                return arn;
            };
            let Ok(named) = TaskDefinitionRef::of(ctx, family) else {
                return arn;
            };
            match find(&self.0, ctx, &named).await {
                Ok(Some(entry)) => format!("{arn}:{}", entry.value.id.revision),
                _ => arn,
            }
        })
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(tags_of(&self.0, ctx, arn))
    }
}

#[cfg(test)]
mod tests;
