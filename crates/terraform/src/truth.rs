//! Whether a condition holds, where the files alone say so.

use hcl_edit::expr::{BinaryOperator, Expression, UnaryOperator};

use crate::eval::Scope;
use crate::functions::{name, resolved};
use crate::node::Node;
use crate::parts::whole;

/// Whether a condition holds, where that is known.
pub(crate) fn truth<'a>(scope: &Scope<'a>, value: &'a Expression, depth: usize) -> Option<bool> {
    let depth = depth.checked_sub(1)?;
    match value {
        Expression::Bool(value) => Some(*value.value()),
        Expression::Parenthesis(inner) => truth(scope, inner.inner(), depth),
        Expression::UnaryOp(not) if *not.operator.value() == UnaryOperator::Not => {
            truth(scope, &not.expr, depth).map(|holds| !holds)
        }
        Expression::BinaryOp(both) => {
            let (left, right) = (&both.lhs_expr, &both.rhs_expr);
            match both.operator.value() {
                BinaryOperator::And => {
                    match (truth(scope, left, depth), truth(scope, right, depth)) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    }
                }
                BinaryOperator::Or => {
                    match (truth(scope, left, depth), truth(scope, right, depth)) {
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (Some(false), Some(false)) => Some(false),
                        _ => None,
                    }
                }
                BinaryOperator::Eq => same(scope, left, right, depth),
                BinaryOperator::NotEq => same(scope, left, right, depth).map(|same| !same),
                _ => None,
            }
        }
        Expression::FuncCall(call) if name(call) == "fileexists" => {
            let path = scope.node(call.args.get(0)?, "").parts(depth);
            Some(
                scope
                    .world
                    .sources
                    .paths
                    .contains(&resolved(scope, &whole(&path)?)),
            )
        }
        other => match whole(&scope.node(other, "").parts(depth))?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    }
}

/// Whether two values are the same; a null is the same as a null only.
fn same<'a>(
    scope: &Scope<'a>,
    left: &'a Expression,
    right: &'a Expression,
    depth: usize,
) -> Option<bool> {
    let value = |value: &'a Expression| -> Option<Option<String>> {
        let node = scope.node(value, "").select(&[], depth).ok()?;
        match &node {
            Node::Hcl { value, .. } if value.is_null() => Some(None),
            node => whole(&node.parts(depth)).map(Some),
        }
    };
    Some(value(left)? == value(right)?)
}
