//! State machines: made, shown, updated, listed, deleted.

use roadstead_api_stepfunctions::{
    CreateStateMachineInput, CreateStateMachineOutput, DeleteStateMachineInput, DeleteStateMachineOutput,
    DescribeStateMachineInput, DescribeStateMachineOutput, EncryptionConfiguration, EncryptionType,
    StateMachineStatus, TracingConfiguration, UpdateStateMachineInput, UpdateStateMachineOutput,
};
use roadstead_base::{Ctx, Partition, Tags, random_uuid};
use roadstead_states_language::refusal;
use roadstead_store::{Change, Entry, Key, Outcome, Transaction};

use crate::accept::{self, Accepted};
use crate::definitions::digest;
use crate::described::Described;
use crate::error::{Error, Result};
use crate::logging::Logging;
use crate::names::{self, machine_arn, version_arn};
use crate::records::{self, DefinitionRecord, MachineRecord, Publication, VersionRecord, Versions, Workflow};
use crate::{States, call, tags, versions};

impl States {
    pub(crate) fn machine_key(&self, partition: &Partition, name: &str) -> Key {
        records::machines(&self.store).key(partition, name)
    }

    pub(crate) fn machine(&self, ctx: &Ctx, name: &str) -> Result<MachineRecord> {
        let partition = ctx.partition();
        let found = self.machines.get(&self.machine_key(&partition, name));
        let missing = || Error::NoSuchMachine(machine_arn(&partition, name));
        found.map(|entry| entry.value.clone()).ok_or_else(missing)
    }

    pub(crate) async fn change_machine(
        &self,
        ctx: &Ctx,
        name: &str,
        mut change: impl FnMut(&mut MachineRecord) -> Result<()>,
    ) -> Result<()> {
        let partition = ctx.partition();
        let update = |found: Option<&MachineRecord>| {
            let missing = || Error::NoSuchMachine(machine_arn(&partition, name));
            let mut record = found.ok_or_else(missing)?.clone();
            change(&mut record)?;
            Ok::<_, Error>(Change::Put(record))
        };
        let key = self.machine_key(&partition, name);
        let updated = records::machines(&self.store).update(&key, update).await?;
        self.machines.wait_for(updated.revision).await?;
        Ok(())
    }

    fn checked(&self, definition: &str, workflow: Workflow) -> Result<()> {
        accept::fits(definition)?;
        let Accepted { machine, diagnostics } = accept::definition(self, definition, workflow);
        match machine {
            Some(_) => Ok(()),
            None => Err(Error::InvalidDefinition(refusal(&diagnostics))),
        }
    }

    /// Refuses a role that could never be acted as.
    pub(crate) fn trusted(&self, partition: &Partition, machine: &str, role: &str) -> Result<()> {
        if !role.starts_with("arn:aws:iam::") {
            return Err(Error::InvalidRole(role.to_owned()));
        }
        call::act(self, partition, machine, role, "create")
            .map(drop)
            .map_err(|_| Error::RoleNotTrusted)
    }
}

fn tracing(configuration: Option<TracingConfiguration>) -> Result<()> {
    match configuration {
        Some(TracingConfiguration { enabled: Some(true) }) => Err(Error::UnsupportedTracing),
        Some(TracingConfiguration {
            enabled: None | Some(false),
        })
        | None => Ok(()),
    }
}

/// Refuses what is not encrypted by a key of the service.
pub(crate) fn encryption(configuration: Option<EncryptionConfiguration>) -> Result<()> {
    let Some(EncryptionConfiguration {
        r#type,
        kms_data_key_reuse_period_seconds,
        kms_key_id,
    }) = configuration
    else {
        return Ok(());
    };
    let own = [
        ("CUSTOMER_MANAGED_KMS_KEY", r#type != EncryptionType::AwsOwnedKey),
        ("kmsKeyId", kms_key_id.is_some()),
        (
            "kmsDataKeyReusePeriodSeconds",
            kms_data_key_reuse_period_seconds.is_some(),
        ),
    ];
    let named: Vec<&str> = own
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| name)
        .collect();
    if !named.is_empty() {
        return Err(Error::UnsupportedEncryption(named.join(", ")));
    }
    Ok(())
}

/// What is to be published, if anything is.
fn publication(publish: Option<bool>, description: Option<String>) -> Result<Option<Publication>> {
    match (publish, description) {
        (Some(true), description) => Ok(Some(Publication { description })),
        (_, Some(_)) => Err(Error::Validation(
            "Version description can only be set when publish is true".to_owned(),
        )),
        (_, None) => Ok(None),
    }
}

/// A second call with the same name and definition is the first one again; the role and the tags do not matter then.
pub(crate) async fn create_state_machine(
    states: &States,
    ctx: &Ctx,
    input: CreateStateMachineInput,
) -> Result<CreateStateMachineOutput> {
    let CreateStateMachineInput {
        definition,
        name,
        role_arn,
        encryption_configuration,
        logging_configuration,
        publish,
        tags: given,
        tracing_configuration,
        r#type,
        version_description,
    } = input;
    if !names::is_name(&name) {
        return Err(Error::InvalidName(name));
    }
    let logging = Logging::of(ctx, logging_configuration.unwrap_or_default())?;
    self::tracing(tracing_configuration)?;
    encryption(encryption_configuration)?;
    let publication = publication(publish, version_description)?;
    let tags = tags::checked(given.unwrap_or_default(), Tags::default())?;
    let workflow = Workflow::of(r#type);
    states.checked(&definition, workflow)?;
    let partition = ctx.partition();
    let key = states.machine_key(&partition, &name);
    let table = records::machines(&states.store);
    let mut record = MachineRecord {
        name: name.clone(),
        definition: digest(&definition),
        role_arn,
        created: states.clock.now(),
        revision: None,
        tags,
        deleting: false,
        workflow,
        updated: None,
        versions: Versions {
            at_creation: publication.clone(),
            ..Versions::default()
        },
        logging,
    };
    if let Some(found) = table.get(&key).await? {
        return again(states, &partition, found, &record).await;
    }
    let wanted = record.clone();
    states.trusted(&partition, &name, &record.role_arn)?;
    states
        .loggable(&partition, &name, &record.role_arn, &record.logging)
        .await?;
    let within = table.within(&partition);
    if states.machines.snapshot().below(&within).count() >= states.options.max_machines {
        return Err(Error::TooManyMachines(states.options.max_machines));
    }
    let definition_key = states.definition_key(&partition, &name, &record.definition);
    let mut transaction = Transaction::new(&states.store);
    if let Some(Publication { description }) = publication {
        let now = record.created;
        let first = versions::published(&mut record, description, now);
        let key = states.version_key(&partition, &name, first.number);
        transaction = transaction.insert(&records::versions(&states.store), &key, &first);
    }
    let written = transaction
        .insert(&table, &key, &record)
        .put(
            &records::definitions(&states.store),
            &definition_key,
            &DefinitionRecord { text: definition },
        )
        .commit()
        .await?;
    match written {
        Outcome::Committed(revision) => states.machines.wait_for(revision).await?,
        // Another was faster.
        Outcome::Conflict => {
            let found = table.get(&key).await?.ok_or(Error::Contended)?;
            return again(states, &partition, found, &wanted).await;
        }
    }
    Ok(created(&partition, &record))
}

/// What one is answered who asks for a machine that is there. The role and the tags do not matter.
async fn again(
    states: &States,
    partition: &Partition,
    found: Entry<MachineRecord>,
    wanted: &MachineRecord,
) -> Result<CreateStateMachineOutput> {
    // Another may have made it just now.
    states.machines.wait_for(found.revision).await?;
    let found = found.value;
    let arn = machine_arn(partition, &found.name);
    if found.deleting {
        return Err(Error::Deleting(arn));
    }
    let same = found.definition == wanted.definition
        && found.workflow == wanted.workflow
        && found.versions.at_creation == wanted.versions.at_creation
        && found.logging == wanted.logging;
    match same {
        true => Ok(created(partition, &found)),
        false => Err(Error::MachineExists(arn)),
    }
}

fn created(partition: &Partition, record: &MachineRecord) -> CreateStateMachineOutput {
    let published = record.versions.at_creation.is_some();
    CreateStateMachineOutput {
        creation_date: record.created,
        state_machine_arn: machine_arn(partition, &record.name),
        // The first one.
        state_machine_version_arn: published.then(|| version_arn(partition, &record.name, 1)),
    }
}

pub(crate) async fn describe_state_machine(
    states: &States,
    ctx: &Ctx,
    input: DescribeStateMachineInput,
) -> Result<DescribeStateMachineOutput> {
    let DescribeStateMachineInput {
        state_machine_arn,
        included_data,
    } = input;
    let partition = ctx.partition();
    for _ in 0..versions::TRIES {
        let (machine, version) = states.configured(ctx, &state_machine_arn).await?;
        let MachineRecord { name, definition, .. } = &machine.value;
        let described = states
            .described(&machine, &partition, name, definition, included_data.as_ref())
            .await?;
        if let Some(described) = described {
            return Ok(described_as(state_machine_arn, machine.value, version, described));
        }
    }
    Err(Error::Contended)
}

fn described_as(
    state_machine_arn: String,
    record: MachineRecord,
    version: Option<VersionRecord>,
    described: Described,
) -> DescribeStateMachineOutput {
    let Described {
        definition,
        variable_references,
    } = described;
    DescribeStateMachineOutput {
        creation_date: version.as_ref().map_or(record.created, |version| version.created),
        description: version.and_then(|version| version.description),
        definition,
        name: record.name,
        role_arn: record.role_arn,
        state_machine_arn,
        r#type: record.workflow.shown(),
        encryption_configuration: Some(EncryptionConfiguration {
            r#type: EncryptionType::AwsOwnedKey,
            ..EncryptionConfiguration::default()
        }),
        logging_configuration: Some(record.logging.shown()),
        revision_id: record.revision,
        status: Some(match record.deleting {
            true => StateMachineStatus::Deleting,
            false => StateMachineStatus::Active,
        }),
        tracing_configuration: Some(TracingConfiguration { enabled: Some(false) }),
        variable_references,
        ..DescribeStateMachineOutput::default()
    }
}

/// Executions under way keep the definition and the role that they began with.
pub(crate) async fn update_state_machine(
    states: &States,
    ctx: &Ctx,
    input: UpdateStateMachineInput,
) -> Result<UpdateStateMachineOutput> {
    let UpdateStateMachineInput {
        state_machine_arn,
        definition,
        encryption_configuration,
        logging_configuration,
        publish,
        role_arn,
        tracing_configuration,
        version_description,
    } = input;
    let name = names::machine(ctx, &state_machine_arn)?;
    let nothing = definition.is_none() && role_arn.is_none();
    let others = (
        &encryption_configuration,
        &logging_configuration,
        &tracing_configuration,
    );
    if nothing && others == (&None, &None, &None) {
        return Err(Error::NothingToUpdate);
    }
    let logging = logging_configuration
        .map(|asked| Logging::of(ctx, asked))
        .transpose()?;
    self::tracing(tracing_configuration)?;
    encryption(encryption_configuration)?;
    let publication = publication(publish, version_description)?;
    let partition = ctx.partition();
    let now = states.clock.now();
    let mut checked = None;
    for _ in 0..versions::TRIES {
        let mut change = states.changing(ctx, &name).await?;
        let record = &mut change.machine;
        let before = record.clone();
        if let Some(role) = &role_arn {
            record.role_arn.clone_from(role);
        }
        if let Some(logging) = &logging {
            record.logging.clone_from(logging);
        }
        // What is given is held to the machine that it is written with, which others may have changed since the last look.
        let with = (record.workflow, record.role_arn.clone(), record.logging.clone());
        if checked.as_ref() != Some(&with) {
            let (workflow, role, logs) = &with;
            if let Some(definition) = &definition {
                states.checked(definition, *workflow)?;
            }
            if role_arn.is_some() {
                states.trusted(&partition, &name, role)?;
            }
            if role_arn.is_some() || logging.is_some() {
                states.loggable(&partition, &name, role, logs).await?;
            }
            checked = Some(with);
        }
        if let Some(definition) = &definition {
            record.definition = digest(definition);
            // With the machine that names it: what nobody names is cleared away.
            let key = states.definition_key(&partition, &name, &record.definition);
            let text = DefinitionRecord {
                text: definition.clone(),
            };
            change =
                change.with(|transaction| transaction.put(&records::definitions(&states.store), &key, &text));
        }
        let record = &mut change.machine;
        // What changes nothing is no revision.
        if *record != before {
            record.revision = Some(random_uuid());
            record.versions.current = None;
        }
        record.updated = Some(now);
        let revision_id = record.revision.clone();
        let (change, version) = match &publication {
            None => (change, None),
            Some(Publication { description }) => {
                let (change, version) = states.publish(&partition, change, description.clone()).await?;
                (change, Some(version.number))
            }
        };
        if states.changed(change).await? {
            return Ok(UpdateStateMachineOutput {
                update_date: now,
                revision_id,
                state_machine_version_arn: version.map(|number| version_arn(&partition, &name, number)),
            });
        }
    }
    Err(Error::Contended)
}

/// Marks it; its executions, and then it itself, go in the background. One that is not there counts as deleted.
pub(crate) async fn delete_state_machine(
    states: &States,
    ctx: &Ctx,
    input: DeleteStateMachineInput,
) -> Result<DeleteStateMachineOutput> {
    let DeleteStateMachineInput { state_machine_arn } = input;
    let name = names::machine(ctx, &state_machine_arn)?;
    let change = states.change_machine(ctx, &name, |record| {
        record.deleting = true;
        Ok(())
    });
    match change.await {
        Ok(()) | Err(Error::NoSuchMachine(_)) => Ok(DeleteStateMachineOutput {}),
        Err(error) => Err(error),
    }
}
