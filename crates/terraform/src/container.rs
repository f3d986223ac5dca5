//! What a container sets besides its image, as far as it is written in blocks of Terraform.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::structure::Body;

use crate::eval::{DEPTH, Scope, expression_at};
use crate::parts::{Part, Place, whole};

/// A container of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) path: String,
    pub(crate) address: String,
    /// The folder in which Terraform is run.
    pub(crate) root: String,
    /// The normalised image.
    pub(crate) image: String,
    pub(crate) init: bool,
    pub(crate) variables: Vec<Variable>,
    /// Its memory limit, in pieces; none if there is none.
    pub(crate) memory: Vec<Part>,
    /// Where another variable may be set.
    pub(crate) room: Room,
}

/// A variable of the environment that is set in a block of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Where the name is written, if that is a literal.
    pub(crate) place: Option<Place>,
    /// The lines of the block.
    pub(crate) lines: Range<usize>,
    pub(crate) text: String,
}

/// A place for another block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) at: usize,
    pub(crate) line: usize,
    pub(crate) indent: String,
    pub(crate) newline: &'static str,
}

impl Container {
    /// Reads the block of a container that runs this image.
    pub(crate) fn read<'a>(
        scope: &Scope<'a>,
        body: &'a Body,
        address: &str,
        init: bool,
        image: String,
    ) -> Option<Container> {
        let text = &scope.text.text;
        let mut variables = Vec::new();
        let mut last = body.get_attribute("image")?.span()?;
        for block in body.get_blocks("env") {
            let span = block.span()?;
            last = if span.end > last.end {
                span.clone()
            } else {
                last
            };
            let Some(name) = block.body.get_attribute("name") else {
                continue;
            };
            let parts = scope.node(&name.value, address).parts(DEPTH);
            let lines = lines_of(text, span);
            variables.push(Variable {
                name: whole(&parts).unwrap_or_default(),
                place: match parts.as_slice() {
                    [Part::Text { place, .. }] => place.clone(),
                    _ => None,
                },
                text: text.get(lines.clone()).unwrap_or_default().to_owned(),
                lines: scope.text.in_file(&lines),
            });
        }
        let memory = expression_at(body, &["resources", "limits", "memory"])
            .map(|value| scope.node(value, address))
            .or_else(|| {
                let limits = expression_at(body, &["resources", "limits"])?;
                let entries = scope.node(limits, address).entries(DEPTH)?;
                let mut memory = entries
                    .into_iter()
                    .filter(|entry| entry.key.as_deref() == Some("memory"));
                memory.next().map(|entry| entry.value)
            });
        let line = lines_of(text, last.clone());
        let first = text.get(line.clone()).unwrap_or_default();
        let indent = first.len() - first.trim_start_matches([' ', '\t']).len();
        Some(Container {
            path: scope.text.path.clone(),
            address: address.to_owned(),
            root: scope.env.root.clone(),
            image,
            init,
            variables,
            memory: memory.map_or_else(Vec::new, |memory| memory.parts(DEPTH)),
            room: Room {
                at: scope.text.in_file(&line).end,
                line: scope.text.line(line.end),
                indent: first.get(..indent).unwrap_or_default().to_owned(),
                newline: if first.ends_with("\r\n") {
                    "\r\n"
                } else {
                    "\n"
                },
            },
        })
    }
}

/// The whole lines of a span.
fn lines_of(text: &str, span: Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let behind = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = behind.find('\n').map_or(text.len(), |at| span.end + at + 1);
    start..end
}
