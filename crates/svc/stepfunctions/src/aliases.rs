//! Aliases of state machines: names that stand for one version or, by weight, for two.

use roadstead_api_stepfunctions::{
    CreateStateMachineAliasInput, CreateStateMachineAliasOutput, DeleteStateMachineAliasInput,
    DeleteStateMachineAliasOutput, DescribeStateMachineAliasInput, DescribeStateMachineAliasOutput,
    ListStateMachineAliasesInput, ListStateMachineAliasesOutput, RoutingConfigurationListItem,
    StateMachineAliasListItem, UpdateStateMachineAliasInput, UpdateStateMachineAliasOutput,
};
use roadstead_base::{Ctx, Partition};
use roadstead_store::Key;

use crate::error::{Error, Result};
use crate::names::{self, Qualifier, alias_arn, version_arn};
use crate::records::{self, AliasRecord, Route};
use crate::versions::{self, TRIES};
use crate::{States, page, routing};

impl States {
    pub(crate) fn alias_key(&self, partition: &Partition, machine: &str, name: &str) -> Key {
        records::aliases(&self.store).key(partition, machine).child(name)
    }

    /// Refuses to route to what is not there.
    async fn routable(&self, partition: &Partition, machine: &str, routes: &[Route]) -> Result<()> {
        for route in routes {
            if self.version(partition, machine, route.version).await?.is_none() {
                let arn = version_arn(partition, machine, route.version);
                return Err(Error::NoSuchResource(arn));
            }
        }
        Ok(())
    }
}

/// The machine that the routes are in, and the routes.
fn routes(ctx: &Ctx, given: Vec<RoutingConfigurationListItem>) -> Result<(String, Vec<Route>)> {
    let mut of: Option<String> = None;
    let mut routes = Vec::with_capacity(given.len());
    for RoutingConfigurationListItem {
        state_machine_version_arn,
        weight,
    } in given
    {
        let (machine, version) = versions::version(ctx, &state_machine_version_arn)?;
        if of.get_or_insert_with(|| machine.clone()) != &machine {
            return Err(Error::Validation(
                "The versions of a routing configuration must be of the same state machine".to_owned(),
            ));
        }
        routes.push(Route {
            version,
            weight: u64::try_from(weight).unwrap_or_default(),
        });
    }
    let missing = || Error::Validation("The routing configuration names no version".to_owned());
    Ok((of.ok_or_else(missing)?, routing::checked(routes)?))
}

/// These operations have another word for a machine that is not there.
fn resource(error: Error) -> Error {
    match error {
        Error::NoSuchMachine(arn) => Error::NoSuchResource(arn),
        error => error,
    }
}

/// The machine and the name of an ARN that names an alias.
fn named(ctx: &Ctx, arn: &str) -> Result<(String, String)> {
    match names::qualified(ctx, arn)? {
        (machine, Qualifier::Alias(name)) => Ok((machine, name)),
        _ => Err(Error::Validation(format!(
            "The ARN '{arn}' must name an alias of a state machine"
        ))),
    }
}

/// A second call with the same description and routes is the first one again.
pub(crate) async fn create_state_machine_alias(
    states: &States,
    ctx: &Ctx,
    input: CreateStateMachineAliasInput,
) -> Result<CreateStateMachineAliasOutput> {
    let CreateStateMachineAliasInput {
        name,
        routing_configuration,
        description,
    } = input;
    let (machine, routes) = routes(ctx, routing_configuration)?;
    let partition = ctx.partition();
    let key = states.alias_key(&partition, &machine, &name);
    let answer = |alias: &AliasRecord| CreateStateMachineAliasOutput {
        creation_date: alias.created,
        state_machine_alias_arn: alias_arn(&partition, &machine, &alias.name),
    };
    for _ in 0..TRIES {
        let mut change = states.changing(ctx, &machine).await.map_err(resource)?;
        if let Some(found) = states.alias(&partition, &machine, &name).await? {
            return match found.routes == routes && found.description == description {
                true => Ok(answer(&found)),
                false => Err(Error::Conflict(
                    "Failed to create alias because an alias with the same name and a different description or \
                     routing configuration already exists."
                        .to_owned(),
                )),
            };
        }
        states.routable(&partition, &machine, &routes).await?;
        if change.machine.versions.aliases >= states.options.max_aliases {
            return Err(Error::QuotaExceeded("aliases", states.options.max_aliases));
        }
        change.machine.versions.aliases += 1;
        let now = states.clock.now();
        let alias = AliasRecord {
            name: name.clone(),
            description: description.clone(),
            routes: routes.clone(),
            created: now,
            updated: now,
        };
        let aliases = records::aliases(&states.store);
        let change = change.with(|transaction| transaction.insert(&aliases, &key, &alias));
        if states.changed(change).await? {
            return Ok(answer(&alias));
        }
    }
    Err(Error::Contended)
}

pub(crate) async fn update_state_machine_alias(
    states: &States,
    ctx: &Ctx,
    input: UpdateStateMachineAliasInput,
) -> Result<UpdateStateMachineAliasOutput> {
    let UpdateStateMachineAliasInput {
        state_machine_alias_arn,
        description,
        routing_configuration,
    } = input;
    let (machine, name) = named(ctx, &state_machine_alias_arn)?;
    if description.is_none() && routing_configuration.is_none() {
        return Err(Error::Validation(
            "Either the description or the routingConfiguration must be specified".to_owned(),
        ));
    }
    let routes = match routing_configuration
        .map(|given| routes(ctx, given))
        .transpose()?
    {
        Some((of, _)) if of != machine => {
            return Err(Error::Validation(format!(
                "The alias is of the state machine {machine}, and its versions must be, too"
            )));
        }
        routes => routes.map(|(_, routes)| routes),
    };
    let partition = ctx.partition();
    let key = states.alias_key(&partition, &machine, &name);
    for _ in 0..TRIES {
        let change = states.changing(ctx, &machine).await.map_err(resource)?;
        let found = states.alias(&partition, &machine, &name).await?;
        let missing = || Error::NoSuchResource(state_machine_alias_arn.clone());
        let mut alias = found.ok_or_else(missing)?;
        let before = alias.clone();
        if let Some(routes) = &routes {
            states.routable(&partition, &machine, routes).await?;
            alias.routes.clone_from(routes);
        }
        if let Some(description) = &description {
            alias.description = Some(description.clone());
        }
        if alias != before {
            alias.updated = states.clock.now();
        }
        let aliases = records::aliases(&states.store);
        let change = change.with(|transaction| transaction.put(&aliases, &key, &alias));
        if states.changed(change).await? {
            return Ok(UpdateStateMachineAliasOutput {
                update_date: alias.updated,
            });
        }
    }
    Err(Error::Contended)
}

pub(crate) async fn describe_state_machine_alias(
    states: &States,
    ctx: &Ctx,
    input: DescribeStateMachineAliasInput,
) -> Result<DescribeStateMachineAliasOutput> {
    let DescribeStateMachineAliasInput {
        state_machine_alias_arn,
    } = input;
    let (machine, name) = named(ctx, &state_machine_alias_arn)?;
    let partition = ctx.partition();
    let found = states.alias(&partition, &machine, &name).await?;
    let AliasRecord {
        name,
        description,
        routes,
        created,
        updated,
    } = found.ok_or_else(|| Error::NoSuchResource(state_machine_alias_arn.clone()))?;
    let show = |route: Route| RoutingConfigurationListItem {
        state_machine_version_arn: version_arn(&partition, &machine, route.version),
        weight: i32::try_from(route.weight).unwrap_or_default(),
    };
    Ok(DescribeStateMachineAliasOutput {
        creation_date: Some(created),
        description,
        name: Some(name),
        routing_configuration: Some(routes.into_iter().map(show).collect()),
        state_machine_alias_arn: Some(state_machine_alias_arn),
        update_date: Some(updated),
    })
}

/// The latest first.
pub(crate) async fn list_state_machine_aliases(
    states: &States,
    ctx: &Ctx,
    input: ListStateMachineAliasesInput,
) -> Result<ListStateMachineAliasesOutput> {
    let ListStateMachineAliasesInput {
        state_machine_arn,
        max_results,
        next_token,
    } = input;
    let (machine, qualifier) = names::qualified(ctx, &state_machine_arn)?;
    states.machine_entry(ctx, &machine).await?;
    let partition = ctx.partition();
    let version = match qualifier {
        Qualifier::None => None,
        Qualifier::Version(number) => {
            let found = states.version(&partition, &machine, number).await?;
            found.ok_or_else(|| Error::NoSuchResource(state_machine_arn.clone()))?;
            Some(number)
        }
        Qualifier::Alias(_) => return Err(Error::InvalidArn(state_machine_arn)),
    };
    let below = records::aliases(&states.store).key(&partition, &machine);
    let (all, _) = records::aliases(&states.store).all(&below).await?;
    let wanted = |alias: &AliasRecord| {
        version.is_none_or(|version| alias.routes.iter().any(|route| route.version == version))
    };
    let mut all: Vec<(String, AliasRecord)> = all
        .into_iter()
        .map(|entry| entry.value)
        .filter(wanted)
        .map(|alias| {
            let cursor = format!("{:020}/{}", i64::MAX - alias.created.0, alias.name);
            (cursor, alias)
        })
        .collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    let scope = format!("ListStateMachineAliases/{state_machine_arn}");
    let (page, next_token) = page::cut(ctx, &scope, all.into_iter(), max_results, next_token.as_deref())?;
    let show = |alias: AliasRecord| StateMachineAliasListItem {
        creation_date: alias.created,
        state_machine_alias_arn: alias_arn(&partition, &machine, &alias.name),
    };
    Ok(ListStateMachineAliasesOutput {
        state_machine_aliases: page.into_iter().map(show).collect(),
        next_token,
    })
}

/// The versions that it stood for stay.
pub(crate) async fn delete_state_machine_alias(
    states: &States,
    ctx: &Ctx,
    input: DeleteStateMachineAliasInput,
) -> Result<DeleteStateMachineAliasOutput> {
    let DeleteStateMachineAliasInput {
        state_machine_alias_arn,
    } = input;
    let (machine, name) = named(ctx, &state_machine_alias_arn)?;
    let partition = ctx.partition();
    for _ in 0..TRIES {
        let mut change = states.changing(ctx, &machine).await.map_err(resource)?;
        if states.alias(&partition, &machine, &name).await?.is_none() {
            return Err(Error::NoSuchResource(state_machine_alias_arn.clone()));
        }
        let aliases = &mut change.machine.versions.aliases;
        *aliases = aliases.saturating_sub(1);
        let key = states.alias_key(&partition, &machine, &name);
        if states
            .changed(change.with(|transaction| transaction.delete(&key)))
            .await?
        {
            return Ok(DeleteStateMachineAliasOutput {});
        }
    }
    Err(Error::Contended)
}
