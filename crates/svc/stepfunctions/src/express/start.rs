//! `StartExecution` of an Express state machine: answered once it is written down what is to be executed. Each call is an
//! execution of its own, whatever its name.

use roadstead_api_stepfunctions::StartExecutionOutput;
use roadstead_base::{Partition, random_uuid};
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::States;
use crate::asked::Asked;
use crate::error::{Error, Result};
use crate::names::express_arn;
use crate::records::{self, ExpressInput, ExpressRecord, MachineRecord};

impl States {
    pub(super) fn express_input_key(&self, partition: &Partition, machine: &str, id: &str) -> Key {
        records::express_inputs(&self.store)
            .key(partition, machine)
            .child(id)
    }
}

/// Nothing if the machine was changed meanwhile, and is to be read again.
pub(crate) async fn start(
    states: &States,
    partition: &Partition,
    machine: &Entry<MachineRecord>,
    asked: &Asked,
) -> Result<Option<StartExecutionOutput>> {
    let most = states.options.max_express_waiting;
    let ticket = states.queue.ticket(most).ok_or(Error::TooManyRunning(most))?;
    let (chosen, origin) = states.origin(partition, &machine.value, &asked.qualifier).await?;
    let record = ExpressRecord {
        machine: asked.machine.clone(),
        name: asked.name.clone(),
        id: random_uuid(),
        definition: chosen.definition,
        role_arn: chosen.role_arn,
        asked: states.clock.now(),
        origin,
        logging: chosen.logging,
    };
    let input = ExpressInput {
        text: asked.text.clone(),
    };
    let (table, inputs) = (
        records::express(&states.store),
        records::express_inputs(&states.store),
    );
    let key = table.key(partition, &record.machine).child(&record.id);
    // A machine that is being deleted, and definitions that go, see it or are seen.
    let written = Transaction::new(&states.store)
        .compare_unmodified(machine)
        .insert(&table, &key, &record)
        .insert(
            &inputs,
            &states.express_input_key(partition, &record.machine, &record.id),
            &input,
        )
        .commit()
        .await?;
    if written == Outcome::Conflict {
        return Ok(None);
    }
    ticket.wait(key);
    Ok(Some(StartExecutionOutput {
        execution_arn: express_arn(partition, &record.machine, &record.name, &record.id),
        start_date: record.asked,
    }))
}
