//! The file: one wanted version a line.

use version::ImageRef;

use crate::asked;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its line in the file, from 1.
    pub(super) number: usize,
    /// The image without tag.
    pub(super) image: String,
    /// The wanted tag.
    pub(super) tag: String,
}

/// Reads the whole file. A line that repeats another is left out.
///
/// # Errors
/// Every fault of the file, each with its line.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Line>, Vec<String>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut faults = Vec::new();
    for (at, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        match line(bytes) {
            Ok(None) => {}
            Ok(Some((image, tag))) => match earlier(&lines, &image) {
                None => lines.push(Line { number, image, tag }),
                Some(first) if first.tag == tag => {}
                Some(Line {
                    number: first,
                    tag: other,
                    ..
                }) => faults.push(format!(
                    "line {number}: {image} is wanted at {other} on line {first} already"
                )),
            },
            Err(why) => faults.push(format!("line {number}: {why}")),
        }
    }
    if lines.is_empty() && faults.is_empty() {
        faults.push("it names no upgrade; write one `IMAGE TAG` a line".to_owned());
    }
    if faults.is_empty() {
        Ok(lines)
    } else {
        Err(faults)
    }
}

/// The line that names this image already.
fn earlier<'a>(lines: &'a [Line], image: &str) -> Option<&'a Line> {
    let name = |image: &str| {
        ImageRef::parse(image)
            .map(|parsed| parsed.normalised())
            .ok()
    };
    lines.iter().find(|line| name(&line.image) == name(image))
}

fn line(bytes: &[u8]) -> Result<Option<(String, String)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("it is not text: {error}"))?;
    // A byte order mark comes from editors, a `#` within a word from nowhere good.
    let text = text.trim_start_matches('\u{feff}').trim();
    let words: Vec<&str> = text
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect();
    match words.as_slice() {
        [] => Ok(None),
        [one] => {
            let parsed = ImageRef::parse(one).map_err(|error| format!("`{one}`: {error}"))?;
            if parsed.digest.is_some() {
                return Err(format!("`{one}` has a digest; name the tag alone"));
            }
            let Some(tag) = &parsed.tag else {
                return Err(format!(
                    "`{one}` has no tag; write `IMAGE TAG` or `IMAGE:TAG`"
                ));
            };
            let image = one.strip_suffix(&format!(":{tag}")).unwrap_or(one);
            asked::image(image, tag)?;
            Ok(Some((image.to_owned(), tag.clone())))
        }
        [image, tag] => {
            asked::image(image, tag)?;
            Ok(Some(((*image).to_owned(), (*tag).to_owned())))
        }
        more => Err(format!(
            "{} words; write `IMAGE TAG` or `IMAGE:TAG`",
            more.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_comments_and_blank_lines_are_read() {
        let file = "\u{feff}# the first bulk run\r\n\
                    coturn/coturn 4.10.0-r1\r\n\
                    \n\
                    \tghcr.io/immich-app/immich-server:v2.7.5   # patch\n\
                    registry.example.org:5000/a/b:1.2\n\
                    docker.io/coturn/coturn:4.10.0-r1";
        let found = parse(file.as_bytes()).map(|lines| {
            lines
                .into_iter()
                .map(|line| (line.number, line.image, line.tag))
                .collect::<Vec<_>>()
        });
        let line = |number, image: &str, tag: &str| (number, image.to_owned(), tag.to_owned());
        assert_eq!(
            found,
            Ok(vec![
                line(2, "coturn/coturn", "4.10.0-r1"),
                line(4, "ghcr.io/immich-app/immich-server", "v2.7.5"),
                line(5, "registry.example.org:5000/a/b", "1.2"),
            ])
        );
    }

    #[test]
    fn all_faults_are_told_at_once_each_with_its_line() {
        let file = b"a/b 1.0\n\
            coturn/coturn\n\
            a b c\n\
            a/b:1 2\n\
            \xff\n\
            docker.io/a/b 2.0\n\
            a/c@sha256:0000000000000000000000000000000000000000000000000000000000000000\n\
            a/d bad/tag\n";
        let faults = parse(file).expect_err("faults");
        insta::assert_snapshot!(faults.join("\n"), @r#"
        line 2: `coturn/coturn` has no tag; write `IMAGE TAG` or `IMAGE:TAG`
        line 3: 3 words; write `IMAGE TAG` or `IMAGE:TAG`
        line 4: `a/b:1` holds a tag or a digest already; give the image without it, then the tag
        line 5: it is not text: invalid utf-8 sequence of 1 bytes from index 0
        line 6: docker.io/a/b is wanted at 1.0 on line 1 already
        line 7: `a/c@sha256:0000000000000000000000000000000000000000000000000000000000000000` has a digest; name the tag alone
        line 8: "bad/tag": the tag is malformed: use up to 128 letters, digits, `_`, `.` and `-`, and start with a letter, a digit or `_`
        "#);
    }

    #[test]
    fn a_file_without_requests_is_a_fault() {
        for file in ["", "\n\n", "# nothing\n"] {
            assert!(parse(file.as_bytes()).is_err_and(|faults| faults.len() == 1));
        }
    }
}
