//! Prometheus' text format, including labels.

use std::borrow::Cow;

use thiserror::Error;

/// One line: a name, its labels in the order of the line, and a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample<'t> {
    pub name: &'t str,
    pub labels: Vec<(&'t str, Cow<'t, str>)>,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} is not in the Prometheus text format: expected {expected}, found `{found}`")]
pub struct NotExposition {
    line: usize,
    expected: &'static str,
    found: String,
}

/// Skips comments, timestamps, and exemplars.
pub(crate) fn parse(text: &str) -> Result<Vec<Sample<'_>>, NotExposition> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let samples = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parsed = samples.map(|(line, text)| {
        let mut rest = Rest(text);
        rest.sample().map_err(|expected| NotExposition {
            line,
            expected,
            found: rest.0.chars().take(MAX_SHOWN_CHARS).collect(),
        })
    });
    parsed.collect()
}

impl Sample<'_> {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_ref())
    }
}

const MAX_SHOWN_CHARS: usize = 60;

/// The rest of a line.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    /// An error names what was expected.
    fn sample(&mut self) -> Result<Sample<'t>, &'static str> {
        let name = self.word(|c| c.is_ascii_alphanumeric() || "_:.".contains(c)).ok_or("a metric name")?;
        let labels = if self.takes('{') { self.labels()? } else { Vec::new() };
        let value = self.word(|c| !c.is_whitespace()).and_then(|value| value.parse().ok());
        Ok(Sample { name, labels, value: value.ok_or("a number")? })
    }

    fn labels(&mut self) -> Result<Vec<(&'t str, Cow<'t, str>)>, &'static str> {
        let mut labels = Vec::new();
        while !self.takes('}') {
            let name =
                self.word(|c| c.is_ascii_alphanumeric() || "_:.".contains(c)).ok_or("a label or `}`")?;
            if !self.takes('=') || !self.takes('"') {
                return Err("`=\"` after a label name");
            }
            labels.push((name, self.quoted()?));
            if !self.takes(',') && !self.0.trim_start().starts_with('}') {
                return Err("`,` or `}` after a label");
            }
        }
        Ok(labels)
    }

    /// Reads up to the closing quote; the opening one has been read.
    fn quoted(&mut self) -> Result<Cow<'t, str>, &'static str> {
        const UNCLOSED: &str = "a closing quote";
        let end = self.0.find(['"', '\\']).ok_or(UNCLOSED)?;
        if self.0[end..].starts_with('"') {
            let (value, rest) = (&self.0[..end], &self.0[end + 1..]);
            self.0 = rest;
            return Ok(Cow::Borrowed(value));
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        loop {
            match chars.next().ok_or(UNCLOSED)? {
                (end, '"') => {
                    self.0 = &self.0[end + 1..];
                    return Ok(Cow::Owned(value));
                }
                (_, '\\') => match chars.next().ok_or(UNCLOSED)?.1 {
                    'n' => value.push('\n'),
                    escaped => value.push(escaped),
                },
                (_, c) => value.push(c),
            }
        }
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> Option<&'t str> {
        let rest = self.0.trim_start();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let word;
        (word, self.0) = rest.split_at(end);
        (!word.is_empty()).then_some(word)
    }

    fn takes(&mut self, c: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Sample<'_> {
        parse(text).unwrap().remove(0)
    }

    #[test]
    fn a_sample_keeps_its_labels() {
        let sample = one("# TYPE a:b counter\na:b_total{engine=\"0\",model=\"x,y}\"} 1.5e3\n");
        assert_eq!((sample.name, sample.value), ("a:b_total", 1500.0));
        assert_eq!((sample.label("engine"), sample.label("model")), (Some("0"), Some("x,y}")));
        assert_eq!(sample.label("other"), None);
    }

    #[test]
    fn labels_may_be_missing_empty_spaced_or_end_with_a_comma() {
        for text in ["a 1", "a{} 1", "  a { } 1", "a{b=\"c\",} 1", "a{ b = \"c\" , d=\"e\" } 1", "a\t1\r"] {
            assert_eq!((one(text).name, one(text).value), ("a", 1.0), "{text}");
        }
    }

    #[test]
    fn escapes_in_a_label_are_decoded() {
        assert_eq!(one(r#"a{b="\"q\" \\ \n ü"} 1"#).label("b"), Some("\"q\" \\ \n ü"));
    }

    #[test]
    fn numbers_may_be_infinite_or_nan() {
        assert_eq!(one("a +Inf").value, f64::INFINITY);
        assert_eq!(one("a -Inf").value, f64::NEG_INFINITY);
        assert!(one("a NaN").value.is_nan());
    }

    #[test]
    fn timestamps_and_exemplars_are_skipped() {
        assert_eq!(one("a 1 1795306851").value, 1.0);
        assert_eq!(one("a_bucket{le=\"1\"} 2 # {trace=\"x\"} 0.5").value, 2.0);
    }

    #[test]
    fn an_error_shows_the_line_and_what_was_expected() {
        let refused = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            refused("a 1\n<html>"),
            "line 2 is not in the Prometheus text format: expected a metric name, found `<html>`"
        );
        for text in
            ["a", "a{", "a{b", "a{b=", "a{b=\"", "a{b=\"c\\", "a{b=\"c\"", "a{b=\"c\" d=\"e\"} 1", "a one"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn truncated_text_never_panics() {
        let text = "# HELP a b\na{b=\"\\\"ü\",c=\"d\"} 1.5 12 # {e=\"f\"} 1\nb 2\n";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = parse(&text[..end]);
        }
    }
}
