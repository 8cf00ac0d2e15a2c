//! `ListStateMachines`: by name.

use roadstead_api_stepfunctions::{ListStateMachinesInput, ListStateMachinesOutput, StateMachineListItem};
use roadstead_base::Ctx;

use crate::error::Result;
use crate::names::machine_arn;
use crate::records::{self, MachineRecord};
use crate::{States, page};

pub(crate) fn list_state_machines(
    states: &States,
    ctx: &Ctx,
    input: ListStateMachinesInput,
) -> Result<ListStateMachinesOutput> {
    let ListStateMachinesInput {
        max_results,
        next_token,
    } = input;
    let partition = ctx.partition();
    let within = records::machines(&states.store).within(&partition);
    let snapshot = states.machines.snapshot();
    let mut all: Vec<&MachineRecord> = snapshot.below(&within).map(|entry| &entry.value).collect();
    all.sort_by(|left, right| left.name.cmp(&right.name));
    let items = all.into_iter().map(|record| (record.name.clone(), record));
    let (page, next_token) = page::cut(
        ctx,
        "ListStateMachines",
        items,
        max_results,
        next_token.as_deref(),
    )?;
    let show = |record: &MachineRecord| StateMachineListItem {
        creation_date: record.created,
        name: record.name.clone(),
        state_machine_arn: machine_arn(&partition, &record.name),
        r#type: record.workflow.shown(),
    };
    Ok(ListStateMachinesOutput {
        next_token,
        state_machines: page.into_iter().map(show).collect(),
    })
}
