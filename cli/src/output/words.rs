//! Text that others wrote, made fit for a terminal.

use textwrap::{Options, WordSplitter};

use super::WIDTH;

/// Without anything that a terminal would take for a command: what is shown came over the network.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' => '\n',
        c if c.is_control() => ' ',
        c => c,
    };
    text.trim().chars().map(harmless).collect()
}

/// The text, or a dash if there is none.
pub(crate) fn or_dash(text: &str) -> String {
    match plain(text) {
        text if text.is_empty() => "-".to_owned(),
        text => text,
    }
}

/// A labelled paragraph: `first` stands before its first line, and the others are below that.
pub(crate) fn paragraph(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = String::new();
    let text = plain(text);
    let full = text.lines().filter(|line| !line.trim().is_empty());
    for (at, line) in full.enumerate() {
        let start = if at == 0 { first } else { &indent };
        let options = Options::new(WIDTH)
            .initial_indent(start)
            .subsequent_indent(&indent)
            // Ids and names are to be copied whole.
            .word_splitter(WordSplitter::NoHyphenation);
        lines.push_str(&textwrap::fill(line, options));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_stays_below_its_label() {
        let text = format!("one {}\n\ntwo", "more words ".repeat(12));
        insta::assert_snapshot!(paragraph("  reason  ", &text), @r"
        reason  one more words more words more words more words more words more words more words more
                words more words more words more words more words
                two
        ");
        assert_eq!(paragraph("x ", ""), "");
    }

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(plain(" a\u{1b}]0;x\u{7}b\tc\r\nd\n"), "a ]0;x b c \nd");
        assert_eq!(or_dash(" "), "-");
    }
}
