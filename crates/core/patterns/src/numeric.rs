//! `{"numeric": [">", 0, "<=", 5]}`: a range of numbers.

use serde_json::Value;

use crate::fault::Fault;
use crate::json::{Kind, Node};

/// Numbers of `numeric` lie between these, documented.
const MOST: f64 = 5.0e9;

/// Bounds, each with whether it belongs to the range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    low: (f64, bool),
    high: (f64, bool),
}

impl Range {
    pub(crate) fn contains(&self, value: f64) -> bool {
        let (low, low_in) = self.low;
        let (high, high_in) = self.high;
        (value > low || (low_in && value == low)) && (value < high || (high_in && value == high))
    }

    /// The one number of a range that has but one.
    pub(crate) fn only(&self) -> Option<f64> {
        (self.low == self.high).then_some(self.low.0)
    }

    pub(crate) fn parse(text: &str, node: &Node) -> Result<Self, Fault> {
        let fault = |at, reason: &str| Fault::new(text, at, reason);
        let Kind::Array(parts) = &node.kind else {
            return Err(fault(node.at, "Value of numeric must be an array."));
        };
        if parts.is_empty() {
            return Err(fault(node.at, "Invalid member in numeric match: it is empty"));
        }
        if parts.len() % 2 == 1 {
            return Err(fault(
                node.at,
                "Every numeric operator must be followed by a number",
            ));
        }
        let mut range = Self {
            low: (-MOST, true),
            high: (MOST, true),
        };
        let mut seen = Vec::new();
        for pair in parts.chunks(2) {
            let [operator_node, number_node] = pair else {
                continue;
            };
            let Kind::Scalar(Value::String(operator)) = &operator_node.kind else {
                return Err(fault(
                    operator_node.at,
                    "Invalid member in numeric match: expected an operator",
                ));
            };
            let number = match &number_node.kind {
                Kind::Scalar(Value::Number(number)) => number.as_f64(),
                _ => None,
            }
            .ok_or_else(|| fault(number_node.at, "Value of a numeric operator must be numeric"))?;
            if !(-MOST..=MOST).contains(&number) {
                return Err(fault(
                    number_node.at,
                    "Value must be between -5.0E9 and 5.0E9, inclusive",
                ));
            }
            let side = operator.chars().next();
            if !seen.is_empty() && (side == Some('=') || seen.contains(&side) || seen.contains(&Some('='))) {
                return Err(fault(operator_node.at, "Too many elements in numeric expression"));
            }
            seen.push(side);
            match operator.as_str() {
                "=" => {
                    range.low = (number, true);
                    range.high = (number, true);
                }
                ">" => range.low = (number, false),
                ">=" => range.low = (number, true),
                "<" => range.high = (number, false),
                "<=" => range.high = (number, true),
                _ => {
                    return Err(Fault::new(
                        text,
                        operator_node.at,
                        format!("Unrecognized numeric range operator: {operator}"),
                    ));
                }
            }
        }
        if seen.len() == 2 && range.low.0 >= range.high.0 {
            return Err(fault(node.at, "Bottom must be less than top"));
        }
        Ok(range)
    }
}
