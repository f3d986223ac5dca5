use super::*;

/// Each line by one letter: `h`eading, `b`old, `c`ode, `f`ence, `r`ule, `#` comment, `t`ext, `.` blank.
#[track_caller]
fn check(text: &str, expected: &str) {
    let kinds: String = lines(text)
        .iter()
        .map(|line| match line.kind {
            Kind::Blank => '.',
            Kind::Comment => '#',
            Kind::Fence => 'f',
            Kind::Code => 'c',
            Kind::Rule => 'r',
            Kind::Heading { .. } => 'h',
            Kind::Bold(_) => 'b',
            Kind::Text => 't',
        })
        .collect();
    assert_eq!(kinds, expected, "{text:?}");
}

#[test]
fn code_ends_where_it_was_opened_for() {
    for (text, expected) in [
        ("```\n# a\n```\n# b", "fcfh"),
        ("~~~ sh\n```\n~~~\nb", "fcft"),
        ("```docker pull x:1```\n# b", "th"),
        ("````\n```\n# a\n````\n# b", "fccfh"),
        ("```\n````\n# b", "ffh"),
        ("``` \n# a\n```  \n# b", "fcfh"),
        ("- ```yaml\n  # a\n  ```\n# b", "fcfh"),
        ("1. ```bash\n   # a\n   ```\n# b", "fcfh"),
        ("- 1) ~~~\n# a\n~~~\n# b", "fcfh"),
        ("> ```\n> # a\n> ```\n# b", "fcfh"),
        ("> ```\n> # a\n# b\n```\n", "fchr"),
        ("```\n```sh\n```\n# b", "fcfh"),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_is_never_closed_hides_nothing() {
    for (text, expected) in [
        ("```\n# a\n# b", "rhh"),
        ("````\n# a\n```\n# b", "rhrh"),
        ("<!-- oops\n# a", "th"),
        ("<!-- a -->\n<!-- oops\n# a", "#th"),
        ("<!-- a\n# b\n-->\n# c", "###h"),
        ("<!-- a\n--> # b", "#h"),
        ("<!-- a --><!-- b --># c", "h"),
        ("<!-- --> x --> <!-- y", "t"),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_line_under_text_makes_it_a_heading_in_every_markup() {
    for (text, expected) in [
        ("a\n===\nb\n-----\n", "hrhr"),
        ("API\n~~~\n\n# b", "hr.h"),
        ("Features\n~~~~~~~~\n# b", "hrh"),
        ("Run this:\n~~~\n# b\n~~~\n", "tfcf"),
        ("====\ntext\n====\n", "rhr"),
        ("- item\n---\n", "tr"),
        ("| a\n---\n", "tr"),
        ("text\n\n---\n", "t.r"),
        ("long line\n^^^\n", "tr"),
        ("== 1.2\n=== b ===\n= =\n", "hht"),
        ("**a**\n**a** b\n", "bt"),
        ("\u{feff}# a\r# b\r\n# c", "hhh"),
    ] {
        check(text, expected);
    }
}

#[test]
fn underlines_rank_in_the_order_in_which_they_come() {
    let text = "====\nA\n====\n\nB\n====\n\nC\n----\n\nD\n====\n";
    let levels: Vec<(&str, u8)> = lines(text)
        .iter()
        .filter_map(|line| match line.kind {
            Kind::Heading { text, level } => Some((text, level)),
            _ => None,
        })
        .collect();
    assert_eq!(levels, [("A", 1), ("B", 2), ("C", 3), ("D", 2)]);
}

#[test]
fn lines_tell_where_they_stand() {
    let text = "a\r\nb\n===\nc";
    let places: Vec<(usize, &str)> = lines(text)
        .iter()
        .filter_map(|line| Some((line.number, text.get(line.begins..line.ends)?)))
        .collect();
    assert_eq!(
        places,
        [(1, "a\r\n"), (2, "b\n===\n"), (3, "===\n"), (4, "c")]
    );
}
