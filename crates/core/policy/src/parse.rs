//! From a document to a policy. Everything that would never match, or not as its writer thought, is refused with its
//! place; the words are IAM's own where it has words for it.

use crate::condition::{Condition, Operator};
use crate::document::{Effect, OneOf, Policy, Position, Statement};
use crate::error::{Result, fault};
use crate::json::{Member, Node, Value, read};
use crate::pattern::Pattern;
use crate::principal::Principals;
use crate::template::{Template, Wild};

/// Bytes of a document.
pub const MAX_DOCUMENT: usize = 131_072;

/// What a document is for, which decides on the elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of a user, group or role, or a boundary or session policy: no principals.
    Identity,
    /// Whom a role trusts: principals, no resources, and actions of STS alone.
    Trust,
    /// Of a resource: principals, and resources.
    Resource,
}

/// # Errors
/// The text is not JSON, or not a policy of that kind: what and where.
pub fn parse(text: &str, kind: Kind) -> Result<Policy> {
    let begin = Position { line: 1, column: 1 };
    if text.len() > MAX_DOCUMENT {
        return fault(begin, format!("the document is longer than {MAX_DOCUMENT} bytes"));
    }
    let node = read(text).map_err(|mut error| {
        error.reason = format!("Syntax errors in policy: {}.", error.reason);
        error
    })?;
    let members = object(&node, "a policy")?;
    let mut id = None;
    let mut variables = false;
    let mut statements = None;
    for member in members {
        match member.name.as_str() {
            "Version" => {
                variables = match text_of(&member.node, "Version")? {
                    "2012-10-17" => true,
                    "2008-10-17" => false,
                    other => {
                        let reason = format!(
                            "Policy document must be version 2012-10-17 or 2008-10-17, not {other:?}."
                        );
                        return fault(member.node.start, reason);
                    }
                };
            }
            "Id" => id = Some(text_of(&member.node, "Id")?.to_owned()),
            "Statement" => statements = Some(&member.node),
            other => return fault(member.at, format!("A policy has no element {other:?}.")),
        }
    }
    let Some(statements) = statements else {
        return fault(node.start, "A policy must contain a Statement.");
    };
    let list = match &statements.value {
        Value::List(list) if list.is_empty() => {
            return fault(statements.start, "A policy must contain at least one statement.");
        }
        Value::List(list) => list.as_slice(),
        _ => std::slice::from_ref(statements),
    };
    let reader = Reader { kind, variables };
    let mut all: Vec<Statement> = Vec::with_capacity(list.len());
    for node in list {
        let statement = reader.statement(node)?;
        if let Some(sid) = &statement.sid
            && all.iter().any(|other| other.sid.as_ref() == Some(sid))
        {
            let reason = format!("Statement IDs (SID) in a single policy must be unique: {sid:?} is not.");
            return fault(node.start, reason);
        }
        all.push(statement);
    }
    Ok(Policy { id, statements: all })
}

fn object<'a>(node: &'a Node, what: &str) -> Result<&'a [Member]> {
    match &node.value {
        Value::Object(members) => Ok(members),
        other => fault(
            node.start,
            format!("{what} must be an object, not {}.", other.kind()),
        ),
    }
}

fn text_of<'a>(node: &'a Node, what: &str) -> Result<&'a str> {
    match &node.value {
        Value::Text(text) => Ok(text),
        other => fault(
            node.start,
            format!("{what} must be a string, not {}.", other.kind()),
        ),
    }
}

/// A string or a list of at least one.
fn texts(member: &Member) -> Result<Vec<(&str, Position)>> {
    let name = &member.name;
    match &member.node.value {
        Value::Text(text) => Ok(vec![(text, member.node.start)]),
        Value::List(items) if items.is_empty() => {
            fault(member.node.start, format!("{name} must not be empty."))
        }
        Value::List(items) => items
            .iter()
            .map(|item| Ok((text_of(item, name)?, item.start)))
            .collect(),
        other => {
            let reason = format!(
                "{name} must be a string or a list of strings, not {}.",
                other.kind()
            );
            fault(member.node.start, reason)
        }
    }
}

struct Reader {
    kind: Kind,
    variables: bool,
}

impl Reader {
    fn statement(&self, node: &Node) -> Result<Statement> {
        let (mut sid, mut effect, mut actions, mut resources, mut principals) =
            (None, None, None, None, None);
        let mut conditions = Vec::new();
        for member in object(node, "a statement")? {
            match member.name.as_str() {
                "Sid" => sid = self.sid(member)?,
                "Effect" => {
                    effect = Some(match text_of(&member.node, "Effect")? {
                        "Allow" => Effect::Allow,
                        "Deny" => Effect::Deny,
                        other => {
                            let reason = format!("Effect must be \"Allow\" or \"Deny\", not {other:?}.");
                            return fault(member.node.start, reason);
                        }
                    });
                }
                "Action" => once(&mut actions, OneOf::Any(self.actions(member)?), member, "Action")?,
                "NotAction" => once(&mut actions, OneOf::Not(self.actions(member)?), member, "Action")?,
                "Resource" => once(
                    &mut resources,
                    OneOf::Any(self.resources(member)?),
                    member,
                    "Resource",
                )?,
                "NotResource" => once(
                    &mut resources,
                    OneOf::Not(self.resources(member)?),
                    member,
                    "Resource",
                )?,
                "Principal" => once(
                    &mut principals,
                    OneOf::Any(self.principals(member)?),
                    member,
                    "Principal",
                )?,
                "NotPrincipal" => once(
                    &mut principals,
                    OneOf::Not(self.principals(member)?),
                    member,
                    "Principal",
                )?,
                "Condition" => conditions = self.conditions(member)?,
                other => return fault(member.at, format!("A statement has no element {other:?}.")),
            }
        }
        let Some(effect) = effect else {
            return fault(node.start, "Missing required field Effect.");
        };
        let Some(actions) = actions else {
            return fault(node.start, "Policy statement must contain actions.");
        };
        if resources.is_none() && self.kind == Kind::Identity {
            return fault(node.start, "Policy statement must contain resources.");
        }
        if principals.is_none() && self.kind != Kind::Identity {
            return fault(node.start, "Missing required field Principal.");
        }
        Ok(Statement {
            sid,
            effect,
            start: node.start,
            end: node.end,
            actions,
            resources,
            principals,
            conditions,
        })
    }

    fn sid(&self, member: &Member) -> Result<Option<String>> {
        let sid = text_of(&member.node, "Sid")?;
        let plain = sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain && self.kind != Kind::Resource {
            let reason = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                          expression [0-9A-Za-z]*";
            return fault(member.node.start, reason);
        }
        Ok((!sid.is_empty()).then(|| sid.to_owned()))
    }

    fn actions(&self, member: &Member) -> Result<Vec<Pattern>> {
        let one = |(text, at): (&str, Position)| {
            let vendor = text.split_once(':').map(|(vendor, _)| vendor);
            match vendor {
                None if text == "*" && self.kind != Kind::Trust => {}
                None => {
                    let reason = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                    return fault(at, reason);
                }
                Some(vendor) => {
                    let named = vendor
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                    if vendor.is_empty() || !named {
                        return fault(at, format!("Vendor {vendor} is not valid"));
                    }
                    if self.kind == Kind::Trust && !vendor.eq_ignore_ascii_case("sts") {
                        return fault(at, "AssumeRole policy may only specify STS AssumeRole actions.");
                    }
                    let name = &text[vendor.len() + 1..];
                    let known =
                        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'?' | b'_' | b'-' | b':');
                    if name.is_empty() || !name.bytes().all(known) {
                        return fault(at, format!("{text:?} is not an action."));
                    }
                }
            }
            Ok(Pattern::folded(text))
        };
        texts(member)?.into_iter().map(one).collect()
    }

    fn resources(&self, member: &Member) -> Result<Vec<Template>> {
        if self.kind == Kind::Trust {
            return fault(member.at, format!("Has prohibited field {}", member.name));
        }
        let one = |(text, at): (&str, Position)| {
            let free = self.variables && text.starts_with("${");
            if text != "*" && !free {
                if text.split(':').next() != Some("arn") && !text.starts_with("arn*") {
                    let reason = format!("Resource {text} must be in ARN format or \"*\".");
                    return fault(at, reason);
                }
                let parts = text.splitn(6, ':').count();
                if parts < 6 && !text.contains('*') {
                    let reason = format!("Resource {text} must be in ARN format or \"*\".");
                    return fault(at, reason);
                }
            }
            Template::of(text, Wild::Arn, self.variables)
                .or_else(|why| fault(at, format!("{}.", why.words())))
        };
        texts(member)?.into_iter().map(one).collect()
    }

    fn principals(&self, member: &Member) -> Result<Vec<Principals>> {
        if self.kind == Kind::Identity {
            return fault(member.at, "Policy document should not specify a principal.");
        }
        if let Value::Text(text) = &member.node.value {
            if text == "*" {
                return Ok(vec![Principals::Everyone]);
            }
            return fault(
                member.node.start,
                format!("Invalid principal in policy: {text:?}"),
            );
        }
        let mut all = Vec::new();
        for kind in object(&member.node, &member.name)? {
            for (text, at) in texts(kind)? {
                let invalid = || {
                    let named = format!("Invalid principal in policy: \"{}\":\"{text}\"", kind.name);
                    fault(at, named)
                };
                all.push(match kind.name.as_str() {
                    "AWS" => match aws(text) {
                        Some(principal) => principal,
                        None => return invalid(),
                    },
                    "Service" if text == "*" || !text.contains('.') => return invalid(),
                    "Service" => Principals::Service(text.to_owned()),
                    "Federated" | "CanonicalUser" => Principals::Nobody,
                    other => {
                        return fault(kind.at, format!("There are no principals of the kind {other:?}."));
                    }
                });
            }
        }
        if all.is_empty() {
            return fault(
                member.node.start,
                "Missing required field Principal cannot be empty!",
            );
        }
        Ok(all)
    }

    fn conditions(&self, member: &Member) -> Result<Vec<Condition>> {
        let mut all = Vec::new();
        for block in object(&member.node, "Condition")? {
            let Some(operator) = Operator::parse(&block.name) else {
                return fault(block.at, format!("Invalid Condition type : {}.", block.name));
            };
            for key in object(&block.node, &block.name)? {
                let vendor = key.name.split_once(':').map_or("", |(vendor, _)| vendor);
                if vendor.is_empty() {
                    let reason = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                    return fault(key.at, reason);
                }
                let items = match &key.node.value {
                    Value::List(items) => items.as_slice(),
                    _ => std::slice::from_ref(&key.node),
                };
                let mut operands = Vec::with_capacity(items.len());
                for item in items {
                    let text = match &item.value {
                        Value::Text(text) | Value::Number(text) => text.clone(),
                        Value::Bool(value) => value.to_string(),
                        other => {
                            let reason =
                                format!("a condition's value must be a string, not {}.", other.kind());
                            return fault(item.start, reason);
                        }
                    };
                    match operator.operand(&text, self.variables) {
                        Ok(operand) => operands.push(operand),
                        Err(reason) => return fault(item.start, format!("{}: {reason}.", block.name)),
                    }
                }
                all.push(Condition {
                    operator,
                    key: key.name.clone(),
                    operands,
                });
            }
        }
        Ok(all)
    }
}

/// Of `Action` and `NotAction` a statement has one, and so on.
fn once<T>(slot: &mut Option<T>, value: T, member: &Member, what: &str) -> Result<()> {
    if slot.is_some() {
        let reason = format!("A statement has {what} or Not{what}, not both.");
        return fault(member.at, reason);
    }
    *slot = Some(value);
    Ok(())
}

fn aws(text: &str) -> Option<Principals> {
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if text == "*" {
        return Some(Principals::Everyone);
    }
    if digits(text) {
        return Some(Principals::Account(text.to_owned()));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, resource] = parts[..] else {
        return None;
    };
    if partition.is_empty() || !digits(account) || text.contains(['*', '?']) {
        return None;
    }
    let named = |kinds: &[&str]| {
        let (kind, name) = resource.split_once('/')?;
        (kinds.contains(&kind) && !name.is_empty()).then_some(())
    };
    match service {
        "iam" if resource == "root" => Some(Principals::Account(account.to_owned())),
        "iam" => named(&["user", "role"]).map(|()| Principals::Arn(text.to_owned())),
        "sts" => named(&["assumed-role", "federated-user"]).map(|()| Principals::Arn(text.to_owned())),
        _ => None,
    }
}
