//! Conditions: an operator, a key, and the values it is compared with. All conditions of a statement must hold; of
//! one key's values one must.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;

use crate::request::Request;
use crate::template::{Template, Wild};
use crate::value::{boolean, date, network, number};

/// How a set of values in the request is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// No set operator stands before the operator.
    Plain,
    All,
    Any,
}

/// The operator without what may stand before and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) set: Set,
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// A value of the policy, ready to be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Template(Template),
    Folded(Template),
    Number(f64),
    Date(i64),
    Bool(bool),
    Binary(Vec<u8>),
    Network(IpNet),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    pub(crate) key: String,
    pub(crate) operands: Vec<Operand>,
}

impl Operator {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (set, rest) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Set::All, rest),
            Some(("ForAnyValue", rest)) => (Set::Any, rest),
            Some(_) => return None,
            None => (Set::Plain, text),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (base, negated) = match name {
            "StringEquals" => (Base::StringEquals, false),
            "StringNotEquals" => (Base::StringEquals, true),
            "StringEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, true),
            "StringLike" => (Base::StringLike, false),
            "StringNotLike" => (Base::StringLike, true),
            "NumericEquals" => (Base::Numeric(Order::Equal), false),
            "NumericNotEquals" => (Base::Numeric(Order::Equal), true),
            "NumericLessThan" => (Base::Numeric(Order::Less), false),
            "NumericLessThanEquals" => (Base::Numeric(Order::LessEqual), false),
            "NumericGreaterThan" => (Base::Numeric(Order::Greater), false),
            "NumericGreaterThanEquals" => (Base::Numeric(Order::GreaterEqual), false),
            "DateEquals" => (Base::Date(Order::Equal), false),
            "DateNotEquals" => (Base::Date(Order::Equal), true),
            "DateLessThan" => (Base::Date(Order::Less), false),
            "DateLessThanEquals" => (Base::Date(Order::LessEqual), false),
            "DateGreaterThan" => (Base::Date(Order::Greater), false),
            "DateGreaterThanEquals" => (Base::Date(Order::GreaterEqual), false),
            "Bool" => (Base::Bool, false),
            "BinaryEquals" => (Base::Binary, false),
            "IpAddress" => (Base::IpAddress, false),
            "NotIpAddress" => (Base::IpAddress, true),
            "ArnEquals" | "ArnLike" => (Base::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Base::Arn, true),
            // Whether a key is there cannot depend on its being there.
            "Null" if !if_exists && set == Set::Plain => (Base::Null, false),
            _ => return None,
        };
        Some(Self {
            set,
            base,
            negated,
            if_exists,
        })
    }

    /// A value of the policy, or what is wrong with it.
    pub(crate) fn operand(&self, text: &str, variables: bool) -> Result<Operand, String> {
        let template =
            |text: &str, wild| Template::of(text, wild, variables).map_err(|fault| fault.words().to_owned());
        let not = |what: &str| format!("{text:?} is not {what}");
        match self.base {
            Base::StringEquals => template(text, Wild::None).map(Operand::Template),
            Base::StringLike => template(text, Wild::Free).map(Operand::Template),
            Base::StringEqualsIgnoreCase => template(&text.to_lowercase(), Wild::None).map(Operand::Folded),
            Base::Arn if text == "*" => template(text, Wild::Free).map(Operand::Template),
            Base::Arn => template(text, Wild::ArnStrict).map(Operand::Template),
            Base::Numeric(_) => number(text).map(Operand::Number).ok_or_else(|| not("a number")),
            Base::Date(_) => date(text).map(Operand::Date).ok_or_else(|| not("a date")),
            Base::Bool | Base::Null => boolean(text)
                .map(Operand::Bool)
                .ok_or_else(|| not("\"true\" or \"false\"")),
            Base::Binary => STANDARD
                .decode(text)
                .map(Operand::Binary)
                .map_err(|_| not("base64")),
            Base::IpAddress => network(text)
                .map(Operand::Network)
                .ok_or_else(|| not("an IP address or a CIDR block")),
        }
    }
}

impl Condition {
    /// The keys of the variables in its values.
    pub(crate) fn keys_of_operands(&self) -> Vec<String> {
        let keys = |operand: &Operand| match operand {
            Operand::Template(template) | Operand::Folded(template) => template.keys(),
            _ => Vec::new(),
        };
        self.operands.iter().flat_map(keys).collect()
    }

    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        let Operator {
            set,
            base,
            negated,
            if_exists,
        } = self.operator;
        let values = request.context.get(&self.key);
        if base == Base::Null {
            let absent = values.is_none_or(<[String]>::is_empty);
            return self.operands.contains(&Operand::Bool(absent));
        }
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return match set {
                Set::All => true,
                Set::Any => if_exists,
                Set::Plain => if_exists || negated,
            };
        };
        let one = |value: &String| {
            self.operands
                .iter()
                .any(|operand| compare(base, operand, value, request))
        };
        match (set, negated) {
            (Set::Plain | Set::Any, false) => values.iter().any(one),
            (Set::Plain | Set::All, true) => !values.iter().any(one),
            (Set::All, false) => values.iter().all(one),
            (Set::Any, true) => values.iter().any(|value| !one(value)),
        }
    }
}

fn compare(base: Base, operand: &Operand, value: &str, request: &Request<'_>) -> bool {
    match operand {
        Operand::Template(template) => {
            // An ARN is compared with ARNs alone: `*` does not stand for whatever text.
            if base == Base::Arn && value.splitn(6, ':').count() < 6 {
                return false;
            }
            template
                .settle(request)
                .is_some_and(|pattern| pattern.matches(value))
        }
        Operand::Folded(template) => template
            .settle(request)
            .is_some_and(|pattern| pattern.folded_matches(value)),
        Operand::Number(wanted) => {
            let Base::Numeric(order) = base else { return false };
            number(value).is_some_and(|value| order.holds(value.partial_cmp(wanted)))
        }
        Operand::Date(wanted) => {
            let Base::Date(order) = base else { return false };
            date(value).is_some_and(|value| order.holds(Some(value.cmp(wanted))))
        }
        Operand::Bool(wanted) => boolean(value) == Some(*wanted),
        Operand::Binary(wanted) => STANDARD.decode(value).is_ok_and(|value| value == *wanted),
        Operand::Network(wanted) => network(value).is_some_and(|value| wanted.contains(&value)),
    }
}

impl Order {
    fn holds(self, found: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let Some(found) = found else { return false };
        match self {
            Self::Equal => found == Equal,
            Self::Less => found == Less,
            Self::LessEqual => found != Greater,
            Self::Greater => found == Greater,
            Self::GreaterEqual => found != Less,
        }
    }
}
