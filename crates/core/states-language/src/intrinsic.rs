//! Intrinsic functions: `States.Format('Hello {}', $.name)` in payload templates ("Intrinsic functions for JSONPath states
//! in Step Functions").

mod arrays;
mod functions;
mod parser;

pub(crate) use arrays::{partition, range};
pub(crate) use functions::hash;

use serde_json::Value;

use crate::Dice;
use crate::budget::Budget;
use crate::failure::{Failure, names};
use crate::path::{Path, View};

/// A call as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Intrinsic {
    /// As it was written.
    text: String,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
enum Argument {
    Literal(Value),
    /// What stands between apostrophes, its backslashes and all.
    Text(String),
    Path(Path),
    Call(Intrinsic),
}

/// The functions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

impl Function {
    fn named(name: &str) -> Option<Function> {
        Some(match name {
            "Format" => Function::Format,
            "StringToJson" => Function::StringToJson,
            "JsonToString" => Function::JsonToString,
            "Array" => Function::Array,
            "ArrayPartition" => Function::ArrayPartition,
            "ArrayContains" => Function::ArrayContains,
            "ArrayRange" => Function::ArrayRange,
            "ArrayGetItem" => Function::ArrayGetItem,
            "ArrayLength" => Function::ArrayLength,
            "ArrayUnique" => Function::ArrayUnique,
            "Base64Encode" => Function::Base64Encode,
            "Base64Decode" => Function::Base64Decode,
            "Hash" => Function::Hash,
            "JsonMerge" => Function::JsonMerge,
            "MathRandom" => Function::MathRandom,
            "MathAdd" => Function::MathAdd,
            "StringSplit" => Function::StringSplit,
            "UUID" => Function::Uuid,
            _ => return None,
        })
    }

    fn name(self) -> String {
        match self {
            Function::Uuid => "States.UUID".to_owned(),
            other => format!("States.{other:?}"),
        }
    }

    /// How many arguments it takes.
    fn takes(self, count: usize) -> bool {
        match self {
            Function::Format => count >= 1,
            Function::Array => true,
            Function::Uuid => count == 0,
            Function::StringToJson
            | Function::JsonToString
            | Function::ArrayLength
            | Function::ArrayUnique
            | Function::Base64Encode
            | Function::Base64Decode => count == 1,
            Function::ArrayPartition
            | Function::ArrayContains
            | Function::ArrayGetItem
            | Function::Hash
            | Function::MathAdd
            | Function::StringSplit => count == 2,
            Function::ArrayRange | Function::JsonMerge => count == 3,
            Function::MathRandom => count == 2 || count == 3,
        }
    }
}

impl Intrinsic {
    /// Every path among its arguments, and those of calls within.
    pub(crate) fn each_path<'a>(&'a self, see: &mut dyn FnMut(&'a Path)) {
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => see(path),
                Argument::Call(call) => call.each_path(see),
                Argument::Literal(_) | Argument::Text(_) => {}
            }
        }
    }

    /// Reads a call. At most ten may stand in one another.
    pub fn parse(text: &str) -> Result<Intrinsic, crate::path::PathFault> {
        parser::parse(text)
    }

    /// What the call gives. `field` is the field it stands in, for the cause of a failure.
    pub fn call(&self, view: &View<'_>, dice: &Dice, field: &str) -> Result<Value, Failure> {
        self.call_within(view, dice, field, &Budget::default())
    }

    /// The same, as long as something is left: its arguments and what it gives are taken from it.
    pub(crate) fn call_within(
        &self,
        view: &View<'_>,
        dice: &Dice,
        field: &str,
        budget: &Budget,
    ) -> Result<Value, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        let had = |cause: &str| format!("The function '{}' had the following error: {cause}", self.text);
        let invalid = |cause: String| Failure::new(names::INTRINSIC, had(&cause));
        let absent = |path: &Path| {
            if budget.is_spent() {
                return budget.spent(path.text(), field);
            }
            let (text, input) = (path.text(), searched(path, view));
            Failure::runtime(had(&format!(
                "The JsonPath argument for the field '{text}' could not be found in the input '{input}'"
            )))
        };
        for (index, argument) in self.arguments.iter().enumerate() {
            values.push(match argument {
                Argument::Literal(value) => value.clone(),
                Argument::Text(written) => {
                    let meant = functions::unescape(written).map_err(invalid)?;
                    // A template's own braces are told from its places by their backslashes.
                    let template = self.function == Function::Format && index == 0;
                    Value::String(if template { written.clone() } else { meant })
                }
                Argument::Call(call) => call.call_within(view, dice, field, budget)?,
                Argument::Path(path) => {
                    let found = path.find_within(view, budget);
                    budget.hold(found.ok_or_else(|| absent(path))?)?
                }
            });
        }
        let given = functions::call(self.function, values, dice).map_err(invalid)?;
        budget.hold(given)
    }
}

/// What a path that finds nothing fails its state with.
pub(crate) fn missing(path: &Path, view: &View<'_>, field: &str, budget: &Budget) -> Failure {
    if budget.is_spent() {
        return budget.spent(path.text(), field);
    }
    let (text, input) = (path.text(), searched(path, view));
    match field {
        "InputPath" | "OutputPath" if path.is_reference() => {
            Failure::runtime(format!("Invalid path '{text}' : {}", path.fault(view)))
        }
        "ItemsPath" if path.is_reference() => {
            let step = path.lost(view).unwrap_or_default();
            let cause = format!("Unable to apply step \"{step}\" to input {input}");
            Failure::new(names::REFERENCE_PATH, cause)
        }
        "SecondsPath" | "TimestampPath" => Failure::runtime(format!(
            "The {field} parameter does not reference an input value: {text}"
        )),
        _ => Failure::runtime(format!(
            "The JSONPath '{text}' specified for the field '{field}' could not be found in the input '{input}'"
        )),
    }
}

/// What a path is looked for in.
fn searched<'v>(path: &Path, view: &View<'v>) -> &'v Value {
    match path.root() {
        crate::path::Root::Context => view.context,
        _ => view.input,
    }
}
