//! `TestState`: a state by itself, run at once as the role that is given, or with a mock in place of its work. Source: the
//! developer guide, "Testing state machines with TestState API".

mod asked;
mod fit;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use roadstead_api_stepfunctions::{TestStateInput, TestStateOutput};
use roadstead_base::{Ctx, Partition, random_uuid};
use roadstead_protocol::BoxFuture;
use roadstead_states_language::{About, Input, Trial};

use crate::call::{self, Acting};
use crate::error::{Error, Result};
use crate::express::{LONGEST_MILLIS, Place};
use crate::names::{express_arn, machine_arn};
use crate::{States, run};

use asked::Asked;

/// What the machine is called that a tested state is of, where nothing else says it.
const MACHINE: &str = "TestState";
/// How long a look at the clock holds at most: it can be set while nothing happens.
const NAP: Duration = Duration::from_secs(1);

pub(crate) async fn test_state(states: &States, ctx: &Ctx, input: TestStateInput) -> Result<TestStateOutput> {
    let Asked {
        machine,
        input,
        text,
        variables,
        role_arn,
        mock,
        context,
        of_map,
        inspects,
    } = Asked::read(states, input)?;
    let partition = ctx.partition();
    if let Some(role) = &role_arn {
        states.trusted(&partition, MACHINE, role)?;
    }
    let place = states.express.enter()?;
    let (name, now) = (random_uuid(), states.clock.now());
    let acting = Acting {
        machine: MACHINE.to_owned(),
        execution_arn: express_arn(&partition, MACHINE, &name, &random_uuid()),
        name,
        started: now,
        role_arn: role_arn.unwrap_or_default(),
    };
    let about = About {
        execution_arn: acting.execution_arn.clone(),
        execution_name: acting.name.clone(),
        role_arn: acting.role_arn.clone(),
        state_machine_arn: machine_arn(&partition, MACHINE),
        state_machine_name: MACHINE.to_owned(),
        input,
    };
    let deadline = now.0.saturating_add(LONGEST_MILLIS);
    let mut trial = Trial::new(machine, about, variables, now.0, deadline);
    trial = match context {
        Some(context) => trial.in_context(context),
        None if of_map => trial.of_map(),
        None => trial,
    };
    let trial = match mock {
        Some(mock) => {
            let dice = run::dice()?;
            computed(trial, move |trial| {
                trial.mock(mock.result, mock.tried, now.0, &dice)
            })
            .await?
            .0
        }
        None => {
            // A client that goes away ends it.
            let states = states.me.upgrade().ok_or(Error::Stopping)?;
            drive(&states, &partition, &acting, trial, place).await?
        }
    };
    shown::answer(&trial, inspects.then_some(text))
}

/// Users' expressions may compute for long: not where everybody's calls are served.
async fn computed<T: Send + 'static>(
    mut trial: Trial,
    compute: impl FnOnce(&mut Trial) -> T + Send + 'static,
) -> Result<(Trial, T)> {
    let computed = tokio::task::spawn_blocking(move || {
        let came = compute(&mut trial);
        (trial, came)
    });
    computed.await.map_err(|error| Error::Store(error.to_string()))
}

/// Does what the state orders until there is an outcome.
async fn drive(
    states: &Arc<States>,
    partition: &Partition,
    acting: &Acting,
    mut trial: Trial,
    mut place: Place,
) -> Result<Trial> {
    let mut flight: Option<BoxFuture<'_, Input>> = None;
    let mut happened = Input::Proceed;
    loop {
        let (now, dice) = (states.clock.now(), run::dice()?);
        let (stepped, mut orders) = computed(trial, move |trial| trial.step(happened, now.0, &dice)).await?;
        trial = stepped;
        if trial.outcome().is_some() {
            return Ok(trial);
        }
        if let Some(order) = orders.pop() {
            flight = Some(Box::pin(call::perform(states, partition, acting, order)));
        }
        let left = trial.due().map_or(i64::MAX, |due| due.saturating_sub(now.0));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        let done = async {
            match &mut flight {
                Some(flight) => flight.await,
                None => std::future::pending().await,
            }
        };
        happened = tokio::select! {
            input = done => input,
            () = tokio::time::sleep(left.min(NAP)) => Input::Proceed,
            _ = place.stop.wait_for(|stop| *stop) => return Err(Error::Stopping),
        };
        if !matches!(happened, Input::Proceed) {
            flight = None;
        }
    }
}
