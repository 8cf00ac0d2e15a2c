//! From a pattern's text to what is tested, with every fault at its place. The words are Ruler's, which users of
//! EventBridge see.

use ipnet::IpNet;
use serde_json::Value;

use crate::fault::Fault;
use crate::json::{Kind, Name, Node};
use crate::leaf::{Test, Text};
use crate::numeric::Range;
use crate::pattern::{Field, Fields};
use crate::wildcard::Wildcard;

/// Names of comparisons: an alternative of `$or` that has one as a field makes the `$or` an ordinary field.
const RESERVED: [&str; 9] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "anything-but",
    "numeric",
    "cidr",
    "exists",
    "wildcard",
];

pub(crate) struct Compiler<'a> {
    pub text: &'a str,
}

impl Compiler<'_> {
    fn fault(&self, at: usize, reason: impl Into<String>) -> Fault {
        Fault::new(self.text, at, reason)
    }

    pub(crate) fn pattern(&self, node: &Node) -> Result<Fields, Fault> {
        match &node.kind {
            Kind::Object(members) => self.fields(node, members),
            _ => Err(self.fault(node.at, "Filter is not an object")),
        }
    }

    fn fields(&self, node: &Node, members: &[(Name, Node)]) -> Result<Fields, Fault> {
        if members.is_empty() {
            return Err(self.fault(node.at, "Empty objects are not allowed"));
        }
        let mut fields = Fields::default();
        for (name, member) in members {
            match &member.kind {
                Kind::Array(alternatives) if name.text == "$or" && is_or(alternatives) => {
                    let alternatives = alternatives.iter().map(|alternative| self.pattern(alternative));
                    fields.any_of.push(alternatives.collect::<Result<_, _>>()?);
                }
                Kind::Object(members) => {
                    let nested = Field::Nested(self.fields(member, members)?);
                    fields.all_of.push((name.text.as_str().into(), nested));
                }
                Kind::Array(values) => {
                    let leaf = Field::Leaf(self.leaf(member, values)?);
                    fields.all_of.push((name.text.as_str().into(), leaf));
                }
                Kind::Scalar(_) => {
                    let reason = format!("{:?} must be an object or an array", name.text);
                    return Err(self.fault(member.at, reason));
                }
            }
        }
        Ok(fields)
    }

    fn leaf(&self, node: &Node, values: &[Node]) -> Result<Vec<Test>, Fault> {
        if values.is_empty() {
            return Err(self.fault(node.at, "Empty arrays are not allowed"));
        }
        values.iter().map(|value| self.test(value)).collect()
    }

    fn test(&self, node: &Node) -> Result<Test, Fault> {
        match &node.kind {
            Kind::Scalar(Value::Null) => Ok(Test::Null),
            Kind::Scalar(Value::Bool(wanted)) => Ok(Test::Bool(*wanted)),
            Kind::Scalar(Value::String(wanted)) => Ok(Test::Text(Text::Is(wanted.clone()))),
            Kind::Scalar(Value::Number(number)) => number
                .as_f64()
                .map(Test::Number)
                .ok_or_else(|| self.fault(node.at, "This number is too large")),
            Kind::Object(members) => self.comparison(node, members),
            _ => Err(self.fault(
                node.at,
                "Match value must be String, number, true, false, or null",
            )),
        }
    }

    /// The one member of an object that names a comparison.
    fn only<'n>(&self, node: &Node, members: &'n [(Name, Node)]) -> Result<&'n (Name, Node), Fault> {
        match members {
            [only] => Ok(only),
            [] => Err(self.fault(node.at, "Empty match expression")),
            [_, (name, _), ..] => Err(self.fault(name.at, "Only one key allowed in match expression")),
        }
    }

    fn comparison(&self, node: &Node, members: &[(Name, Node)]) -> Result<Test, Fault> {
        let (name, value) = self.only(node, members)?;
        match name.text.as_str() {
            "exactly" => self.string(name, value).map(|text| Test::Text(Text::Is(text))),
            "anything-but" => self.anything_but(value),
            "numeric" => Range::parse(self.text, value).map(Test::Numeric),
            "cidr" => self.cidr(value),
            "exists" => match value.kind {
                Kind::Scalar(Value::Bool(true)) => Ok(Test::Present),
                Kind::Scalar(Value::Bool(false)) => Ok(Test::Absent),
                _ => Err(self.fault(value.at, "exists match pattern must be either true or false.")),
            },
            _ => self
                .text(name, value)?
                .map(Test::Text)
                .ok_or_else(|| self.unknown(name)),
        }
    }

    fn unknown(&self, name: &Name) -> Fault {
        self.fault(name.at, format!("Unrecognized match type {}", name.text))
    }

    fn string(&self, name: &Name, value: &Node) -> Result<String, Fault> {
        match &value.kind {
            Kind::Scalar(Value::String(text)) => Ok(text.clone()),
            _ => Err(self.fault(value.at, format!("{} match pattern must be a string", name.text))),
        }
    }

    /// A comparison of strings; none if there is no such comparison.
    fn text(&self, name: &Name, value: &Node) -> Result<Option<Text>, Fault> {
        Ok(Some(match name.text.as_str() {
            "equals-ignore-case" => Text::IsAnyCase(self.string(name, value)?.to_lowercase()),
            "prefix" => match self.any_case(value)? {
                Some(prefix) => Text::PrefixAnyCase(prefix),
                None => Text::Prefix(self.not_empty(name, value)?),
            },
            "suffix" => match self.any_case(value)? {
                Some(suffix) => Text::SuffixAnyCase(suffix),
                None => Text::Suffix(self.not_empty(name, value)?),
            },
            "wildcard" => {
                let text = self.string(name, value)?;
                let wildcard = Wildcard::parse(&text).map_err(|reason| self.fault(value.at, reason))?;
                Text::Wildcard(wildcard)
            }
            _ => return Ok(None),
        }))
    }

    /// `{"equals-ignore-case": "..."}` within a prefix or suffix, in lower case.
    fn any_case(&self, node: &Node) -> Result<Option<String>, Fault> {
        let Kind::Object(members) = &node.kind else {
            return Ok(None);
        };
        let (name, value) = self.only(node, members)?;
        if name.text != "equals-ignore-case" {
            return Err(self.unknown(name));
        }
        self.not_empty(name, value).map(|text| Some(text.to_lowercase()))
    }

    fn not_empty(&self, name: &Name, value: &Node) -> Result<String, Fault> {
        let text = self.string(name, value)?;
        if text.is_empty() {
            return Err(self.fault(value.at, format!("Null {0}/{0} list not allowed", name.text)));
        }
        Ok(text)
    }

    fn cidr(&self, node: &Node) -> Result<Test, Fault> {
        let Kind::Scalar(Value::String(text)) = &node.kind else {
            return Err(self.fault(node.at, "cidr match pattern must be a string"));
        };
        text.parse::<IpNet>()
            .map(|block| Test::Cidr(block.trunc()))
            .map_err(|_| self.fault(node.at, "Malformed CIDR, one '/' required"))
    }

    /// A value, a list of strings or of numbers, or a comparison of strings with one or several of them.
    fn anything_but(&self, node: &Node) -> Result<Test, Fault> {
        let values = match &node.kind {
            Kind::Object(members) => return self.anything_but_texts(node, members),
            Kind::Array(values) => values.as_slice(),
            Kind::Scalar(_) => std::slice::from_ref(node),
        };
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for value in values {
            match &value.kind {
                Kind::Scalar(Value::String(text)) if numbers.is_empty() => texts.push(Text::Is(text.clone())),
                Kind::Scalar(Value::Number(number)) if texts.is_empty() => numbers.extend(number.as_f64()),
                Kind::Scalar(Value::String(_) | Value::Number(_)) => {
                    let reason = "Inside anything but list, either all values are number or string, mixed type is not \
                                  supported";
                    return Err(self.fault(value.at, reason));
                }
                _ => {
                    let reason = "Inside anything but list, start|null|boolean is not supported.";
                    return Err(self.fault(value.at, reason));
                }
            }
        }
        match (texts.is_empty(), numbers.is_empty()) {
            (false, _) => Ok(Test::NoText(texts)),
            (_, false) => Ok(Test::NoneOf(numbers)),
            _ => Err(self.fault(node.at, "Empty arrays are not allowed")),
        }
    }

    fn anything_but_texts(&self, node: &Node, members: &[(Name, Node)]) -> Result<Test, Fault> {
        let (name, value) = self.only(node, members)?;
        let values = match &value.kind {
            Kind::Array(values) => values.as_slice(),
            _ => std::slice::from_ref(value),
        };
        if values.is_empty() {
            return Err(self.fault(value.at, "Empty arrays are not allowed"));
        }
        let texts = values
            .iter()
            .map(|value| self.text(name, value)?.ok_or_else(|| self.unknown(name)));
        texts.collect::<Result<_, _>>().map(Test::NoText)
    }
}

/// Two alternatives at least, each an object without a comparison's name.
fn is_or(alternatives: &[Node]) -> bool {
    alternatives.len() >= 2
        && alternatives.iter().all(|alternative| match &alternative.kind {
            Kind::Object(members) => {
                !members.is_empty()
                    && members
                        .iter()
                        .all(|(name, _)| !RESERVED.contains(&name.text.as_str()))
            }
            _ => false,
        })
}
