//! One Terraform file: its bytes, its syntax tree, and the YAML that it carries in heredocs.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, FuncCall};
use hcl_edit::structure::Body;
use hcl_edit::template::{Element, HeredocTemplate};
use hcl_edit::visit::{Visit, visit_expr, visit_func_call, visit_heredoc_template};

use crate::text::Text;
use crate::yaml::Doc;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a file has no syntax tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is encrypted or otherwise no text.
    Binary,
    /// It is text, but not what its name says; where and why.
    Syntax(String),
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) text: Text,
    pub(crate) body: Body,
    heredocs: Vec<(Range<usize>, Doc)>,
    /// The files that its functions read.
    pub(crate) mentions: Vec<Mention>,
}

/// A file that `file()` or `templatefile()` names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    /// How its path ends, as far as that is written; empty if it is not.
    pub(crate) ending: String,
    /// Whether it is a template.
    pub(crate) template: bool,
    /// Whether it only may be read, because its path stands somewhere.
    pub(crate) guess: bool,
}

impl File {
    /// Parses a file without changing a byte: spans count in the bytes as they are.
    pub(crate) fn parse(path: &str, bytes: Vec<u8>) -> Result<Self, Unread> {
        let mut text = as_text(bytes)?;
        // Terraform passes a byte order mark over; its bytes still count.
        let mark = if text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len_utf8()
        } else {
            0
        };
        text.drain(..mark);
        let body = hcl_edit::parser::parse_body(&text).map_err(|error| {
            let at = error.location();
            Unread::Syntax(format!(
                "{path}:{}:{}: does not parse as HCL: {}",
                at.line(),
                at.column(),
                error.message()
            ))
        })?;
        let text = Text::part(path, text, mark, 1);
        let mut seen = Seen::default();
        seen.visit_body(&body);
        let docs = seen.heredocs.into_iter().filter_map(|span| {
            let doc = heredoc(&text, &span)?;
            Some((span, doc))
        });
        let heredocs = docs.collect();
        seen.mentions.sort();
        seen.mentions.dedup();
        Ok(Self {
            heredocs,
            mentions: seen.mentions,
            text,
            body,
        })
    }

    /// The YAML in the heredoc with this span, if it is some.
    pub(crate) fn heredoc(&self, span: &Range<usize>) -> Option<&Doc> {
        let found = self.heredocs.iter().find(|(found, _)| found == span);
        found.map(|(_, doc)| doc)
    }
}

/// The bytes as a text, if they are one.
pub(crate) fn as_text(bytes: Vec<u8>) -> Result<String, Unread> {
    if bytes.contains(&0) {
        return Err(Unread::Binary);
    }
    String::from_utf8(bytes).map_err(|_no_text| Unread::Binary)
}

/// Whether a text can hold an image at all.
fn may_name_images(text: &str) -> bool {
    ["image", "Image", "repository:"]
        .iter()
        .any(|word| text.contains(word))
}

/// The content of a heredoc as YAML, or the lines of it in a script.
fn heredoc(text: &Text, span: &Range<usize>) -> Option<Doc> {
    let source = text.source(span);
    let start = source.find('\n')? + 1;
    let end = source.trim_end().rfind('\n')? + 1;
    let content = source.get(start..end.max(start))?;
    if !may_name_images(content) {
        return None;
    }
    let base = span.start + start;
    let part = || text.within(base, content);
    let parsed = Doc::template(part());
    if let Ok(doc) = &parsed
        && doc.is_structured()
    {
        return parsed.ok();
    }
    Doc::script(Text::part(
        &text.path,
        content.to_owned(),
        base,
        text.line(base),
    ))
}

#[derive(Default)]
struct Seen {
    heredocs: Vec<Range<usize>>,
    mentions: Vec<Mention>,
}

impl Visit for Seen {
    fn visit_heredoc_template(&mut self, heredoc: &HeredocTemplate) {
        self.heredocs.extend(heredoc.span());
        visit_heredoc_template(self, heredoc);
    }

    fn visit_expr(&mut self, value: &Expression) {
        // A path may be handed on before a function reads it.
        let names_a_file = |ending: &String| {
            let ends = [".yaml", ".yml", ".tftpl", ".tpl", ".json"];
            ends.iter()
                .any(|end| ending.ends_with(end) && ending.len() > end.len())
        };
        if matches!(value, Expression::String(_) | Expression::StringTemplate(_))
            && let Some(ending) = ending(value).filter(names_a_file)
        {
            for template in [false, true] {
                self.mentions.push(Mention {
                    ending: ending.clone(),
                    template,
                    guess: true,
                });
            }
        }
        visit_expr(self, value);
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        let name = call.name.name.as_str();
        if matches!(name, "file" | "templatefile" | "read_terragrunt_config")
            && let Some(path) = call.args.get(0)
        {
            self.mentions.push(Mention {
                ending: ending(path).unwrap_or_default(),
                template: name == "templatefile",
                guess: false,
            });
        }
        visit_func_call(self, call);
    }
}

/// How a path ends, from its last `/` that is written, or less.
fn ending(path: &Expression) -> Option<String> {
    let last = match path {
        Expression::String(text) => text.as_str(),
        Expression::StringTemplate(template) => match template.iter().last()? {
            Element::Literal(text) => text.as_str(),
            Element::Interpolation(_) | Element::Directive(_) => return None,
        },
        Expression::FuncCall(call) => return call.args.iter().last().and_then(ending),
        Expression::Parenthesis(inner) => return ending(inner.inner()),
        _ => return None,
    };
    let ending = match last.rfind('/') {
        Some(at) => last.get(at..)?,
        None => last,
    };
    (ending.len() > 1).then(|| ending.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one_with_carriage_returns_and_umlauts() {
        let file = File::parse("x.tf", "# grün\r\na = 1\r\nb = \"x\"".into()).unwrap();
        let span = file.body.get_attribute("b").unwrap().value.span().unwrap();
        assert_eq!(file.text.source(&span), "\"x\"");
        assert_eq!(file.text.line(span.start), 3);
    }

    #[test]
    fn a_syntax_error_names_its_position_and_an_encrypted_file_is_binary() {
        let error = File::parse("stacks/x/main.tf", "a = 1\nb = {".into()).unwrap_err();
        let Unread::Syntax(text) = error else {
            panic!("{error:?}")
        };
        assert!(text.starts_with("stacks/x/main.tf:2:"), "{text}");
        let encrypted = b"\0GITCRYPT\0\x12\x34".to_vec();
        assert_eq!(File::parse("x.tf", encrypted).unwrap_err(), Unread::Binary);
    }

    #[test]
    fn yaml_in_a_heredoc_stands_where_it_stands_in_the_file() {
        let text =
            "x = <<-EOT\n    # ä\n    image: acme/app:1.2\n  EOT\ny = <<EOT\nimage: [\nEOT\n";
        let file = File::parse("x.tf", text.into()).unwrap();
        let [(_, doc)] = file.heredocs.as_slice() else {
            panic!("{:?}", file.heredocs)
        };
        let id = doc.at(doc.roots[0], &["image"]).unwrap();
        let Some(crate::yaml::Item::Scalar { span, .. }) = doc.item(id) else {
            panic!()
        };
        assert_eq!(text.get(doc.text.in_file(span)).unwrap(), "acme/app:1.2");
        assert_eq!(doc.text.line(span.start), 3);
    }

    #[test]
    fn mentioned_files_are_known_by_how_their_path_ends() {
        let text = "a = file(\"${path.module}/values.yaml\")\nb = templatefile(\"x/${var.y}.yaml\", {})\n\
                    c = file(var.path)\n";
        let file = File::parse("x.tf", text.into()).unwrap();
        let sure = file.mentions.iter().filter(|mention| !mention.guess);
        let found: Vec<_> = sure
            .map(|mention| (mention.ending.as_str(), mention.template))
            .collect();
        assert_eq!(
            found,
            [("", false), (".yaml", true), ("/values.yaml", false)]
        );
    }
}
