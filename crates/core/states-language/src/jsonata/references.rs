//! What an expression refers to. There is no context item: a name at the top level, `$` there, and `$$` anywhere refer to
//! nothing and are refused; so is what JSONata has learnt after 2.0.6.

use std::collections::BTreeSet;

use jlens_core::ast::Stage;
use jlens_core::{Ast, Node, NodeKind, stack};

use super::JsonataFault;
use crate::diagnostic::Code;

/// The variables that the expression reads, or what it may not refer to.
pub(super) fn check(ast: &Ast) -> Result<BTreeSet<String>, JsonataFault> {
    let mut variables = BTreeSet::new();
    let mut fault = None;
    visit(&ast.root, &mut |node| match &node.kind {
        NodeKind::Variable { name } if name == "$" => {
            fault.get_or_insert_with(|| unsupported("$$"));
        }
        NodeKind::Variable { name } => {
            variables.insert(name.clone());
        }
        NodeKind::Fallback { op, .. } => {
            let message = format!("The operator '{}' is not supported", op.symbol());
            fault.get_or_insert(JsonataFault {
                code: Code::InvalidJsonataExpression,
                message,
            });
        }
        _ => {}
    });
    match fault {
        Some(fault) => Err(fault),
        None => top_level(&ast.root).map(|()| variables),
    }
}

pub(super) fn reads(ast: &Ast, member: &str) -> bool {
    let mut reads = false;
    visit(&ast.root, &mut |node| {
        if let NodeKind::Path { steps, .. } = &node.kind
            && let [first, second, ..] = steps.as_slice()
            && matches!(&first.kind, NodeKind::Variable { name } if name == "states")
            && matches!(&second.kind, NodeKind::Name { name } if name == member)
        {
            reads = true;
        }
    });
    reads
}

fn visit<'a>(node: &'a Node, see: &mut dyn FnMut(&'a Node)) {
    stack::grow(|| {
        see(node);
        node.for_each_child(|child| visit(child, see));
    });
}

fn unsupported(what: &str) -> JsonataFault {
    let message = format!("Reference to '{what}' at the top level is not supported.");
    JsonataFault {
        code: Code::UnsupportedJsonataExpression,
        message,
    }
}

/// Refuses names that would be looked for in the context item. Steps after the first, predicates, groups and the bodies of
/// functions have an item, or may have one.
fn top_level(node: &Node) -> Result<(), JsonataFault> {
    match &node.kind {
        NodeKind::Name { name } => return Err(unsupported(name)),
        NodeKind::Wildcard => return Err(unsupported("*")),
        NodeKind::Descendant => return Err(unsupported("**")),
        NodeKind::Parent { .. } => return Err(unsupported("%")),
        NodeKind::Variable { name } if name.is_empty() => return Err(unsupported("$")),
        NodeKind::Path { steps, .. } => {
            return steps
                .first()
                .map_or(Ok(()), |first| stack::grow(|| top_level(first)));
        }
        NodeKind::Lambda(_) | NodeKind::Transform(_) => return Ok(()),
        _ => {}
    }
    let mut result = Ok(());
    node.for_each_child(|child| {
        if result.is_ok() && !has_item(node, child) {
            result = stack::grow(|| top_level(child));
        }
    });
    result
}

/// Whether `child` stands in a predicate or group of `node`.
fn has_item(node: &Node, child: &Node) -> bool {
    let stages = node.attrs.stages.iter().chain(&node.attrs.predicate);
    let filters = stages.filter_map(|stage| match stage {
        Stage::Filter { expr, .. } => Some(expr.as_ref()),
        Stage::Index { .. } => None,
    });
    let groups = node
        .attrs
        .group
        .iter()
        .flat_map(|group| group.pairs.iter().flat_map(|(key, value)| [key, value]));
    filters.chain(groups).any(|one| std::ptr::eq(one, child))
}
