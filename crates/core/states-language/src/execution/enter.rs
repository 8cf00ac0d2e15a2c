//! Entering a state and starting what it does.

use jiff::Timestamp;
use serde_json::Value;

use super::context::Seen;
use super::stepper::Stepper;
use super::{Doing, Order, Running, TaskToken};
use crate::definition::{Kind, Next, Pattern, Resource, Rule, State, Task, Wait, timestamp};
use crate::failure::{Failure, names};
use crate::history::{Called, History};
use crate::template::Template;

impl Stepper<'_> {
    /// Enters the state that the thread is ready for, or tries it again.
    pub(super) fn enter(&mut self, id: u64) {
        self.spend_anew();
        let Some(state) = self.state(id) else {
            return self.fail(id, Failure::runtime("The definition has no such state"));
        };
        self.arrive(id, state);
        if let Err(failure) = self.begin(id, state) {
            self.blame(id, failure);
        }
    }

    /// Tells that the state is entered, unless it was.
    pub(super) fn arrive(&mut self, id: u64, state: &State) {
        let Some(thread) = self.execution.threads.get(&id) else {
            return;
        };
        if thread.entered.is_none() {
            let (name, input) = (thread.state.clone(), thread.input.clone());
            let event = self.tell_of(
                id,
                History::StateEntered {
                    kind: state.type_name().to_owned(),
                    name,
                    input,
                },
            );
            let now = self.now;
            if let Some(thread) = self.thread(id) {
                thread.entered = Some((event, now));
                thread.tries = vec![0; state.retry.len()];
            }
        }
    }

    fn begin(&mut self, id: u64, state: &State) -> Result<(), Failure> {
        let effective = self.effective(id)?;
        self.inspect_input(state, &effective);
        let seen = Seen {
            input: Some(&effective),
            ..Seen::default()
        };
        match &state.kind {
            Kind::Task(task) => return self.order(id, state, task, &effective),
            Kind::Pass { result } => {
                let result = match (result, &state.io.parameters) {
                    (Some(result), _) => result.clone(),
                    (None, Some(parameters)) => self.fill(id, parameters, seen)?,
                    (None, None) => effective,
                };
                if !matches!(&state.kind, Kind::Pass { result: Some(_) }) {
                    self.inspect_parameters(state, &result);
                }
                self.complete(id, result);
            }
            Kind::Succeed => self.pass_on(
                id,
                effective,
                &state.io.assign,
                state.io.output.as_ref(),
                &Next::End,
            )?,
            Kind::Fail { error, cause } => {
                let error = self.text(id, error.as_ref(), seen)?.unwrap_or_default();
                let cause = self.text(id, cause.as_ref(), seen)?.unwrap_or_default();
                self.fail(id, Failure::new(error, cause));
            }
            Kind::Choice { rules, default } => {
                self.choose(id, state, rules, default.as_deref(), effective)?
            }
            Kind::Wait(wait) => {
                let until = self.until(id, wait, seen)?;
                self.set(id, Doing::Waiting { until });
                if until <= self.now {
                    self.waited(id);
                }
            }
            Kind::Parallel { branches } => {
                let input = match &state.io.parameters {
                    Some(parameters) => self.fill(id, parameters, seen)?,
                    None => effective,
                };
                self.fork(id, branches, &input);
            }
            Kind::Map(map) => self.spread(id, map, effective)?,
        }
        Ok(())
    }

    pub(super) fn set(&mut self, id: u64, doing: Doing) {
        if let Some(thread) = self.thread(id) {
            thread.doing = doing;
        }
    }

    fn until(&self, id: u64, wait: &Wait, seen: Seen<'_>) -> Result<i64, Failure> {
        let entered = self
            .execution
            .threads
            .get(&id)
            .and_then(|thread| thread.entered)
            .map_or(self.now, |(_, at)| at);
        match wait {
            Wait::Seconds(template) => {
                let seconds = self.integer(id, Some(template), 0, seen)?.unwrap_or_default();
                Ok(entered.saturating_add(seconds as i64 * 1000))
            }
            Wait::Timestamp(template) => {
                let text = self.text(id, Some(template), seen)?.unwrap_or_default();
                let at =
                    timestamp(&text).ok_or_else(|| template.mismatch("timestamp", &Value::String(text)))?;
                Ok(Timestamp::as_millisecond(at))
            }
        }
    }

    /// The wait is over.
    pub(super) fn waited(&mut self, id: u64) {
        let Some(state) = self.state(id) else {
            return;
        };
        let passed = self.effective(id).and_then(|input| {
            self.pass_on(id, input, &state.io.assign, state.io.output.as_ref(), &state.next)
        });
        if let Err(failure) = passed {
            self.blame(id, failure);
        }
    }

    fn choose(
        &mut self,
        id: u64,
        state: &State,
        rules: &[Rule],
        default: Option<&str>,
        input: Value,
    ) -> Result<(), Failure> {
        let seen = Seen {
            input: Some(&input),
            ..Seen::default()
        };
        let chosen = self.with_scope(id, seen, |scope| {
            for rule in rules {
                if rule.condition.holds(scope)? {
                    return Ok(Some(rule));
                }
            }
            Ok(None)
        })?;
        match (chosen, default) {
            (Some(rule), _) => self.pass_on(
                id,
                input,
                &rule.assign,
                rule.output.as_ref(),
                &Next::State(rule.next.clone()),
            ),
            (None, Some(default)) => self.pass_on(
                id,
                input,
                &state.io.assign,
                state.io.output.as_ref(),
                &Next::State(default.to_owned()),
            ),
            (None, None) => Err(Failure::new(
                names::NO_CHOICE,
                "Failed to transition out of the state. The state does not point to a next state.",
            )),
        }
    }

    fn order(&mut self, id: u64, state: &State, task: &Task, effective: &Value) -> Result<(), Failure> {
        let pattern = match &task.resource {
            Resource::Integration { pattern, .. } => Some(*pattern),
            _ => None,
        };
        let waits = pattern == Some(Pattern::WaitForTaskToken);
        let works = matches!(task.resource, Resource::Activity { .. });
        let number = self.number();
        let token =
            (waits || works).then(|| TaskToken::new(&self.execution.about, number, self.dice).to_string());
        let seen = Seen {
            input: Some(effective),
            token: token.as_deref().filter(|_| waits),
            ..Seen::default()
        };
        let parameters = match &state.io.parameters {
            Some(parameters) => self.fill(id, parameters, seen)?,
            None => effective.clone(),
        };
        let fill = |template: &Template| self.fill(id, template, seen);
        let credentials = task.credentials.as_ref().map(fill).transpose()?;
        let timeout = self.integer(id, task.timeout.as_ref(), 1, seen)?;
        let heartbeat = self.integer(id, task.heartbeat.as_ref(), 1, seen)?;
        self.inspect_parameters(state, &parameters);
        self.limit(id, &parameters)?;
        let called = called(&task.resource);
        self.tell_of(
            id,
            History::TaskScheduled {
                called: called.clone(),
                arn: task.resource.arn().to_owned(),
                parameters: parameters.clone(),
                timeout,
                heartbeat,
                credentials: credentials.clone(),
            },
        );
        let mut running = Running {
            task: number,
            called,
            deadline: None,
            heartbeat: None,
            once_taken: None,
        };
        let millis = |seconds: u64| seconds as i64 * 1000;
        let limits = (timeout.map(millis), heartbeat.map(millis));
        if works {
            running.once_taken = Some(limits);
        } else {
            running.count(limits, self.now);
        }
        self.set(id, Doing::Task(running));
        let (state, entered) = self
            .execution
            .threads
            .get(&id)
            .map(|thread| (thread.state.clone(), thread.entered.map_or(0, |(event, _)| event)))
            .unwrap_or_default();
        let resource = task.resource.clone();
        self.step.orders.push(Order {
            entered,
            task: number,
            state,
            resource,
            parameters,
            token,
            credentials,
            timeout,
            heartbeat,
            given: self.now,
        });
        Ok(())
    }
}

fn called(resource: &Resource) -> Called {
    match resource {
        Resource::Function { .. } => Called::Function,
        Resource::Activity { .. } => Called::Activity,
        Resource::Integration {
            service,
            action,
            pattern,
            ..
        } => {
            let suffix = match pattern {
                Pattern::RequestResponse => "",
                Pattern::Sync => ".sync",
                Pattern::SyncAsJson => ".sync:2",
                Pattern::WaitForTaskToken => ".waitForTaskToken",
            };
            Called::Task {
                resource_type: service.clone(),
                resource: format!("{action}{suffix}"),
            }
        }
    }
}
