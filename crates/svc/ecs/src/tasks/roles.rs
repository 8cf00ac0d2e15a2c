//! The roles of a task: the one its own calls are made as, and the one it is prepared as. Both must trust
//! `ecs-tasks.amazonaws.com`; their keys go to the agent with the task, and are renewed while it runs.

use std::sync::Arc;

use roadstead_acs::{
    IamRoleCredentials, ROLE_OF_APPLICATION, ROLE_OF_EXECUTION, RoleCredentials, Task, ToAgent,
};
use roadstead_api_ecs::{MODEL, NetworkMode};
use roadstead_base::{Ctx, derived_hex, random_uuid};
use roadstead_dispatch::{ActAs, Dispatcher, denied};

use crate::PRINCIPAL;
use crate::definitions::Definition;
use crate::error::{Error, Result};
use crate::permissions::{TASKS_PRINCIPAL, role_arn};
use crate::tasks::TaskRecord;

/// Seconds that a task's keys last. They are renewed well before; see the agents' connections.
const LIFE: u32 = 3600;
/// What a session is called when it is only tried whether it could be made.
const TRIAL: &str = "RunTask";

/// The roles of a definition, with the agent's names for what they are for.
fn roles(ctx: &Ctx, definition: &Definition) -> impl Iterator<Item = (&'static str, String)> {
    let application = definition.task_role_arn.as_deref();
    let execution = definition.execution_role_arn.as_deref();
    let both = [(ROLE_OF_APPLICATION, application), (ROLE_OF_EXECUTION, execution)];
    both.map(|(kind, named)| Some((kind, role_arn(ctx, named?))))
        .into_iter()
        .flatten()
}

/// Whether the caller may hand these roles to tasks, and tasks may be them.
pub(super) fn check(ecs: &crate::Ecs, ctx: &Ctx, definition: &Definition) -> Result<()> {
    let mode = definition.network_mode.unwrap_or(NetworkMode::Bridge);
    if definition.task_role_arn.is_some() && matches!(mode, NetworkMode::Host | NetworkMode::None) {
        return Err(Error::unsupported(format!(
            "overrides.taskRoleArn with networkMode {mode}"
        )));
    }
    for (_, role) in roles(ctx, definition) {
        ecs.dispatcher
            .check_pass_role(ctx, &role, TASKS_PRINCIPAL)
            .map_err(|denial| Error::Other(denied(&MODEL, &denial)))?;
        let act = ActAs {
            role_arn: &role,
            service: TASKS_PRINCIPAL,
            session_name: TRIAL,
            source_arn: None,
            seconds: LIFE,
        };
        ecs.dispatcher.assume_for_service(ctx, act).map_err(|error| {
            tracing::info!(%error, "a task's role cannot be assumed");
            Error::client(format!(
                "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the \
                 role being passed has the proper trust relationship and permissions and that your IAM user has \
                 permissions to pass this role."
            ))
        })?;
    }
    Ok(())
}

/// Fresh keys. Should the role be gone by now, there are none, and the agent says so to whoever asks.
fn keys(
    dispatcher: &Arc<Dispatcher>,
    ctx: &Ctx,
    task: &TaskRecord,
    kind: &str,
    role: String,
) -> RoleCredentials {
    let arn = task.arn();
    let credentials_id = uuid_of(&derived_hex(&arn, kind, 32));
    let act = ActAs {
        role_arn: &role,
        service: TASKS_PRINCIPAL,
        session_name: task.id.as_str(),
        source_arn: Some(&arn),
        seconds: LIFE,
    };
    match dispatcher.keys_for_service(ctx, act) {
        Ok(keys) => RoleCredentials {
            credentials_id,
            role_arn: role,
            access_key_id: keys.access_key,
            secret_access_key: keys.secret,
            session_token: keys.token,
            expiration: keys.expires.to_rfc3339(),
        },
        Err(error) => {
            tracing::warn!(task = arn, %error, "a task's role gives no keys");
            RoleCredentials {
                credentials_id,
                role_arn: role,
                ..RoleCredentials::default()
            }
        }
    }
}

/// Ids look as the vendor's do.
fn uuid_of(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn own_ctx(dispatcher: &Arc<Dispatcher>, task: &TaskRecord) -> Ctx {
    let partition = &task.partition;
    dispatcher.internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone())
}

/// Puts keys into a task that is about to be sent.
pub(crate) fn give(
    dispatcher: &Arc<Dispatcher>,
    definition: &Definition,
    task: &TaskRecord,
    into: &mut Task,
) {
    let ctx = own_ctx(dispatcher, task);
    for (kind, role) in roles(&ctx, definition) {
        let keys = keys(dispatcher, &ctx, task, kind, role);
        match kind {
            ROLE_OF_APPLICATION => into.role_credentials = Some(keys),
            _ => into.execution_role_credentials = Some(keys),
        }
    }
}

/// New keys for a task that an agent has.
pub(crate) fn renewals(
    dispatcher: &Arc<Dispatcher>,
    definition: &Definition,
    task: &TaskRecord,
) -> Vec<ToAgent> {
    let ctx = own_ctx(dispatcher, task);
    roles(&ctx, definition)
        .map(|(kind, role)| (kind, keys(dispatcher, &ctx, task, kind, role)))
        .filter(|(_, keys)| keys.has_keys())
        .map(|(kind, keys)| {
            ToAgent::Credentials(Box::new(IamRoleCredentials {
                message_id: random_uuid(),
                task_arn: task.arn(),
                task_cluster_arn: task.cluster.arn(&task.partition),
                role_type: kind.to_owned(),
                role_credentials: keys,
            }))
        })
        .collect()
}
