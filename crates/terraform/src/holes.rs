//! What stands in a template without being its text: interpolations, directives and escapes.

use std::borrow::Cow;
use std::ops::Range;

use hcl_edit::expr::Expression;

use crate::text::Text;

/// What is no text of its own in a template.
#[derive(Debug)]
pub(crate) struct Hole {
    pub(crate) span: Range<usize>,
    /// None for an escape or a directive. Its bytes count in a text of their own.
    pub(crate) expression: Option<(Expression, Text)>,
}

/// What is no text of its own: interpolations, the marks of directives, and escapes. Only these
/// are parsed as HCL, because what is around them may be very long.
pub(crate) fn holes(text: &Text) -> Vec<Hole> {
    let source = &text.text;
    let mut holes = Vec::new();
    let mut at = 0;
    while let Some(found) = source.get(at..).and_then(|rest| rest.find(['$', '%'])) {
        let start = at + found;
        let rest = source.get(start..).unwrap_or_default();
        at = start + 1;
        let escape = rest.starts_with("$${") || rest.starts_with("%%{");
        if escape {
            holes.push(Hole {
                span: start..start + 3,
                expression: None,
            });
            at = start + 3;
        } else if rest.starts_with("${") || rest.starts_with("%{") {
            let Some(length) = closing(rest) else {
                continue;
            };
            let inner = rest.get(2..length - 1).unwrap_or_default();
            let expression = rest.starts_with('$').then(|| {
                let parsed = hcl_edit::parser::parse_expr(inner.trim()).ok()?;
                let skipped = 2 + inner.len() - inner.trim_start().len();
                Some((parsed, text.within(start + skipped, inner.trim())))
            });
            holes.push(Hole {
                span: start..start + length,
                expression: expression.flatten(),
            });
            at = start + length;
        }
    }
    holes
}

/// The length of an interpolation or directive up to its closing brace; texts inside may hold
/// braces, and interpolations of their own.
fn closing(text: &str) -> Option<usize> {
    let mut open: Vec<char> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let in_text = open.last() == Some(&'"');
        match c {
            '\\' if in_text => {
                chars.next();
            }
            '"' if in_text => {
                open.pop();
            }
            '"' => open.push('"'),
            '$' | '%' if chars.peek().is_some_and(|(_, next)| *next == '{') => {
                chars.next();
                open.push('{');
            }
            '{' if !in_text => open.push('{'),
            '}' if !in_text => {
                open.pop();
                if open.is_empty() {
                    return Some(at + 1);
                }
            }
            // No expression goes on for so long.
            _ if at > 4_096 => return None,
            _ => {}
        }
    }
    None
}

/// The text with something harmless, of as many bytes, for what is no YAML.
pub(crate) fn masked<'a>(text: &'a str, holes: &[Hole]) -> Cow<'a, str> {
    if holes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for hole in holes {
        masked.push_str(text.get(at..hole.span.start).unwrap_or_default());
        let directive = text
            .get(hole.span.clone())
            .is_some_and(|hole| hole.starts_with("%{"));
        let hidden = text.get(hole.span.clone()).unwrap_or_default();
        masked.extend(hidden.bytes().map(|byte| match byte {
            b'\n' | b'\r' => char::from(byte),
            _ if directive => ' ',
            _ => 'x',
        }));
        at = hole.span.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(masked)
}

/// The text with `{{…}}` as plain text, or nothing if it stands alone on its line.
pub(crate) fn without_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find("}}").map_or(from.len(), |end| end + 2);
        let (hidden, after) = from.split_at(end);
        let alone = before
            .rsplit('\n')
            .next()
            .is_some_and(|line| line.trim().is_empty())
            && after
                .split('\n')
                .next()
                .is_some_and(|line| line.trim().is_empty());
        out.extend(hidden.bytes().map(|byte| match byte {
            b'\n' | b'\r' => char::from(byte),
            _ if alone => ' ',
            _ => 'x',
        }));
        rest = after;
    }
    out.push_str(rest);
    out
}
