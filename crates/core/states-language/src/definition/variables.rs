//! Which variables the states of a machine read: `variableReferences` of `DescribeStateMachine`.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::assigned;
use super::{Comparison, Condition, Flow, Kind, Literal, Machine, State, Wait};
use crate::path::{Path, Root};
use crate::template::Template;

impl Machine {
    /// By state, the variables that it reads, without their dollar. States that read none are left out.
    pub fn variable_references(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut known = BTreeSet::new();
        each(&self.flow, &mut |_, state| known.extend(assigned(state)));
        let mut references = BTreeMap::new();
        each(&self.flow, &mut |name, state| {
            let mut reads = Reads {
                known: &known,
                found: BTreeSet::new(),
            };
            reads.state(state);
            if !reads.found.is_empty() {
                references.insert(name, reads.found);
            }
        });
        references
    }
}

fn each<'m>(flow: &'m Flow, see: &mut dyn FnMut(&'m str, &'m State)) {
    for (name, state) in &flow.states {
        see(name, state);
        match &state.kind {
            Kind::Parallel { branches } => branches.iter().for_each(|branch| each(branch, see)),
            Kind::Map(map) => each(&map.processor, see),
            _ => {}
        }
    }
}

struct Reads<'m, 'k> {
    /// The variables that the machine assigns, wherever.
    known: &'k BTreeSet<&'m str>,
    found: BTreeSet<&'m str>,
}

impl<'m> Reads<'m, '_> {
    fn state(&mut self, state: &'m State) {
        let io = &state.io;
        let edges = [&io.input_path, &io.output_path];
        edges
            .into_iter()
            .flatten()
            .flatten()
            .for_each(|path| self.path(path));
        let templates = [&io.parameters, &io.result_selector, &io.output];
        templates
            .into_iter()
            .flatten()
            .for_each(|template| self.template(template));
        self.assign(&io.assign);
        for catcher in &state.catch {
            catcher.output.iter().for_each(|template| self.template(template));
            self.assign(&catcher.assign);
        }
        match &state.kind {
            Kind::Task(task) => {
                let templates = [&task.timeout, &task.heartbeat, &task.credentials];
                templates
                    .into_iter()
                    .flatten()
                    .for_each(|template| self.template(template));
            }
            Kind::Choice { rules, default: _ } => {
                for rule in rules {
                    self.condition(&rule.condition);
                    rule.output.iter().for_each(|template| self.template(template));
                    self.assign(&rule.assign);
                }
            }
            Kind::Wait(Wait::Seconds(template) | Wait::Timestamp(template)) => self.template(template),
            Kind::Fail { error, cause } => {
                let templates = [error, cause];
                templates
                    .into_iter()
                    .flatten()
                    .for_each(|template| self.template(template));
            }
            Kind::Map(map) => {
                let templates = [&map.items, &map.max_concurrency];
                templates
                    .into_iter()
                    .flatten()
                    .for_each(|template| self.template(template));
            }
            Kind::Pass { .. } | Kind::Succeed | Kind::Parallel { .. } => {}
        }
    }

    fn assign(&mut self, assign: &'m [(String, Template)]) {
        assign.iter().for_each(|(_, template)| self.template(template));
    }

    fn condition(&mut self, condition: &'m Condition) {
        match condition {
            Condition::And(all) | Condition::Or(all) => all.iter().for_each(|one| self.condition(one)),
            Condition::Not(inner) => self.condition(inner),
            Condition::Query(template) => self.template(template),
            Condition::Test(path, comparison) => {
                self.path(path);
                match comparison {
                    Comparison::String(_, Literal::Path(path))
                    | Comparison::Numeric(_, Literal::Path(path))
                    | Comparison::Timestamp(_, Literal::Path(path))
                    | Comparison::BooleanEquals(Literal::Path(path)) => self.path(path),
                    _ => {}
                }
            }
        }
    }

    fn template(&mut self, template: &'m Template) {
        match template {
            Template::Literal(_) => {}
            Template::Object(members) => members.iter().for_each(|(_, member)| self.template(member)),
            Template::Array(items) => items.iter().for_each(|item| self.template(item)),
            Template::Path(path, _) => self.path(path),
            Template::Call(call, _) => call.each_path(&mut |path| self.path(path)),
            Template::Query(query, _) => self.found.extend(query.references(self.known)),
        }
    }

    fn path(&mut self, path: &'m Path) {
        if let Root::Variable(name) = path.root() {
            self.found.insert(name);
        }
    }
}
