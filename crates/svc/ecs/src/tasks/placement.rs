//! `placementConstraints` and `placementStrategy` as requests and definitions have them, read into what decides.

use roadstead_api_ecs::{
    PlacementConstraint, PlacementConstraintType, PlacementStrategy, TaskDefinitionPlacementConstraint,
    TaskDefinitionPlacementConstraintType,
};
use roadstead_placement::{Demand, MAX_STRATEGIES, Query, Strategy};

use crate::error::{Error, Result};
use crate::tasks::Launch;

/// Constraints of one task, those of its definition included. Source: the API reference, RunTask,
/// `placementConstraints`.
pub(crate) const MAX_CONSTRAINTS: usize = 10;

/// Where of all places that suit it a task may go and is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    distinct_instance: bool,
    member_of: Vec<Query>,
    strategies: Vec<Strategy>,
}

impl Placement {
    /// Of a request.
    ///
    /// # Errors
    /// A constraint or strategy that cannot be, or any of them for FARGATE, which has no instances to choose from.
    pub(crate) fn of(
        launch: Launch,
        constraints: Option<Vec<PlacementConstraint>>,
        strategies: Option<Vec<PlacementStrategy>>,
    ) -> Result<Self> {
        let (constraints, strategies) = (constraints.unwrap_or_default(), strategies.unwrap_or_default());
        if constraints.len() > MAX_CONSTRAINTS {
            return Err(too_many());
        }
        if strategies.len() > MAX_STRATEGIES {
            return Err(Error::invalid(format!(
                "placementStrategy can have at most {MAX_STRATEGIES} items."
            )));
        }
        if launch == Launch::Fargate && !constraints.is_empty() {
            return Err(Error::invalid(
                "Placement constraints are not supported with FARGATE launch type.",
            ));
        }
        if launch == Launch::Fargate && !strategies.is_empty() {
            return Err(Error::invalid(
                "Placement strategies are not supported with FARGATE launch type.",
            ));
        }
        let mut placement = Self::default();
        for constraint in constraints {
            placement.constrain(constraint)?;
        }
        for PlacementStrategy { field, r#type } in strategies {
            let Some(kind) = r#type else {
                return Err(Error::invalid("placementStrategy.type must be given."));
            };
            let strategy = Strategy::parse(kind.as_str(), field.as_deref().unwrap_or_default());
            let strategy =
                strategy.map_err(|error| Error::invalid(format!("placementStrategy: {error}.")))?;
            placement.strategies.push(strategy);
        }
        Ok(placement)
    }

    fn constrain(&mut self, constraint: PlacementConstraint) -> Result<()> {
        let PlacementConstraint { expression, r#type } = constraint;
        let expression = expression.filter(|expression| !expression.is_empty());
        match (r#type, expression) {
            (Some(PlacementConstraintType::DistinctInstance), None) => self.distinct_instance = true,
            (Some(PlacementConstraintType::DistinctInstance), Some(_)) => {
                return Err(Error::invalid(
                    "placementConstraints.expression is not valid for the constraint distinctInstance.",
                ));
            }
            (Some(PlacementConstraintType::MemberOf), Some(text)) => {
                self.member_of
                    .push(expression_of("placementConstraints.expression", &text)?);
            }
            (Some(PlacementConstraintType::MemberOf), None) => {
                return Err(Error::invalid(
                    "placementConstraints.expression must be given for the constraint memberOf.",
                ));
            }
            (None, _) => return Err(Error::invalid("placementConstraints.type must be given.")),
        }
        Ok(())
    }

    /// Adds what the definition demands of every task that is made from it.
    ///
    /// # Errors
    /// Together they are too many.
    pub(crate) fn with_definition(
        mut self,
        constraints: Option<&[TaskDefinitionPlacementConstraint]>,
    ) -> Result<Self> {
        for constraint in constraints.unwrap_or_default() {
            self.member_of.push(definition_constraint(constraint)?);
        }
        if self.member_of.len() + usize::from(self.distinct_instance) > MAX_CONSTRAINTS {
            return Err(too_many());
        }
        Ok(self)
    }

    pub(crate) fn apply(self, demand: &mut Demand) {
        let Self {
            distinct_instance,
            member_of,
            strategies,
        } = self;
        demand.distinct_instance = distinct_instance;
        demand.member_of = member_of;
        demand.strategies = strategies;
    }
}

fn too_many() -> Error {
    Error::invalid(format!(
        "placementConstraints can have at most {MAX_CONSTRAINTS} items, those of the task definition included."
    ))
}

/// A constraint of a definition, which can only be `memberOf`.
pub(crate) fn definition_constraint(constraint: &TaskDefinitionPlacementConstraint) -> Result<Query> {
    let TaskDefinitionPlacementConstraint { expression, r#type } = constraint;
    match (r#type, expression.as_deref()) {
        (Some(TaskDefinitionPlacementConstraintType::MemberOf), Some(text)) if !text.is_empty() => {
            expression_of("placementConstraints.expression", text)
        }
        _ => Err(Error::client(
            "A placement constraint needs a type and an expression.",
        )),
    }
}

/// An expression of the cluster query language. `member` says where it stood.
pub(crate) fn expression_of(member: &str, text: &str) -> Result<Query> {
    Query::parse(text).map_err(|error| Error::invalid(format!("{member} is no expression: {error}.")))
}
