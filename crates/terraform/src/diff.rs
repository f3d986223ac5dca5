//! Edits as one unified diff that `git apply` takes.

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use crate::edit::Edit;

/// The lines of context around a change.
const CONTEXT: usize = 3;

/// Exactly one unified diff over all edits, with `a/` and `b/` in front of the paths. Carriage
/// returns stay, and a missing final newline is said as git says it.
#[must_use]
pub fn diff(edits: &[Edit]) -> String {
    let mut text = String::new();
    for edit in edits.iter().filter(|edit| edit.before != edit.after) {
        file(&mut text, edit);
    }
    text
}

fn file(text: &mut String, edit: &Edit) {
    let before = String::from_utf8_lossy(&edit.before);
    let after = String::from_utf8_lossy(&edit.after);
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    text.push_str(&format!(
        "--- {}\n+++ {}\n",
        quoted("a/", &edit.path),
        quoted("b/", &edit.path)
    ));
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    for group in group_diff_ops(operations, CONTEXT) {
        hunk(text, &group, &old, &new);
    }
}

fn hunk(text: &mut String, group: &[DiffOp], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    text.push_str(&format!(
        "@@ -{} +{} @@\n",
        range(first.old_range().start, last.old_range().end),
        range(first.new_range().start, last.new_range().end)
    ));
    for operation in group {
        let (kept, removed, added) = match operation {
            DiffOp::Equal { .. } => (operation.old_range(), 0..0, 0..0),
            _ => (0..0, operation.old_range(), operation.new_range()),
        };
        for (sign, lines) in [
            (' ', old.get(kept)),
            ('-', old.get(removed)),
            ('+', new.get(added)),
        ] {
            for line in lines.unwrap_or_default() {
                text.push(sign);
                text.push_str(line);
                if !line.ends_with('\n') {
                    text.push_str("\n\\ No newline at end of file\n");
                }
            }
        }
    }
}

/// Start and length, counted as git counts: an empty range stands after the line before it.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        length => format!("{},{length}", start + 1),
    }
}

/// A path as git writes it: in quotes where it would not be read back otherwise.
fn quoted(prefix: &str, path: &str) -> String {
    if path
        .chars()
        .any(|c| c.is_control() || c == '"' || c == '\\')
    {
        let mut text = format!("\"{prefix}");
        for byte in path.bytes() {
            match byte {
                b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
                0x20..=0x7e => text.push(char::from(byte)),
                other => text.push_str(&format!("\\{other:03o}")),
            }
        }
        text.push('"');
        return text;
    }
    // With a space in it, a tab says where the path ends.
    let end = if path.contains(' ') { "\t" } else { "" };
    format!("{prefix}{path}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, before: &str, after: &str) -> String {
        diff(&[Edit {
            path: path.into(),
            before: before.into(),
            after: after.into(),
        }])
    }

    #[test]
    fn carriage_returns_and_a_missing_final_newline_are_kept() {
        assert_eq!(
            of("x.tf", "a\r\nb\r\nc", "a\r\nB\r\nC"),
            "--- a/x.tf\n+++ b/x.tf\n@@ -1,3 +1,3 @@\n a\r\n-b\r\n-c\n\\ No newline at end of \
             file\n+B\r\n+C\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn far_changes_are_hunks_of_their_own_with_three_lines_of_context() {
        let before: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let after = before.replace("\n3\n", "\nx\n").replace("\n18\n", "\ny\n");
        let text = of("a b.tf", &before, &after);
        assert!(
            text.starts_with("--- a/a b.tf\t\n+++ b/a b.tf\t\n@@ -1,6 +1,6 @@\n 1\n"),
            "{text}"
        );
        assert!(text.contains("@@ -15,6 +15,6 @@\n 15\n"), "{text}");
    }

    #[test]
    fn nothing_changed_is_no_diff() {
        assert_eq!(of("x.tf", "a\n", "a\n"), "");
    }
}
