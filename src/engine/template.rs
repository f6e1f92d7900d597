//! An engine's chunks, known again by what is around their content.
//!
//! From chunk to chunk of an answer only the content changes. Once one of them was read as JSON, the bytes before and
//! after its content are kept, and a chunk that has the same is read by comparing: a tenth of what JSON takes.

use memchr::{memchr2, memmem};

/// The last chunk that was learned. Only chunks that hold content and nothing else are.
#[derive(Debug, Default)]
pub struct Template {
    before: Vec<u8>,
    after: Vec<u8>,
    /// How often it was learned without being of use.
    in_vain: u8,
}

/// The members that content comes in, with the beginning of their string.
const KEYS: [&[u8]; 4] =
    [b"\"content\":\"", b"\"text\":\"", b"\"reasoning_content\":\"", b"\"reasoning\":\""];

/// An engine whose chunks differ in more than their content is not worth the effort.
const IN_VAIN_MAX: u8 = 3;

impl Template {
    /// Whether this line has content; `None` if it is not like the one that was learned.
    pub fn read(&mut self, line: &[u8]) -> Option<bool> {
        if self.before.is_empty() {
            return None;
        }
        let content = line.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        // Anything but a plain string is left to the reader of JSON.
        let is_plain = !content.iter().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
        if !is_plain || std::str::from_utf8(content).is_err() {
            return None;
        }
        self.in_vain = 0;
        Some(!content.is_empty())
    }

    /// Learns from a line that holds content and nothing else. `is_blank` says of a line whether it holds nothing:
    /// that is what has to be left without the content.
    pub fn learn(&mut self, line: &[u8], is_blank: impl Fn(&[u8]) -> bool) {
        if self.in_vain >= IN_VAIN_MAX {
            return;
        }
        self.in_vain += 1;
        for key in KEYS {
            let Some(start) = memmem::find(line, key).map(|at| at + key.len()) else { continue };
            let Some(length) = string_length(&line[start..]) else { continue };
            let (before, after) = (&line[..start], &line[start + length..]);
            if length > 0 && is_blank(&[before, after].concat()) {
                self.before.clear();
                self.before.extend_from_slice(before);
                self.after.clear();
                self.after.extend_from_slice(after);
                return;
            }
        }
    }
}

/// Up to the quote that ends it.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(line: &str) -> Template {
        let mut template = Template::default();
        template.learn(line.as_bytes(), |_| true);
        template
    }

    fn read(template: &mut Template, line: &str) -> Option<bool> {
        template.read(line.as_bytes())
    }

    #[test]
    fn a_line_that_differs_in_its_content_only_is_known_again() {
        let mut template = learned(r#"data: {"a":1,"content":" x\"\\","b":2}"#);
        assert_eq!(read(&mut template, r#"data: {"a":1,"content":"grüß","b":2}"#), Some(true));
        assert_eq!(read(&mut template, r#"data: {"a":1,"content":"","b":2}"#), Some(false));
    }

    #[test]
    fn anything_else_is_left_to_the_reader_of_json() {
        let mut template = learned(r#"{"content":"x","b":2}"#);
        for line in [
            r#"{"content":"x","b":3}"#,
            r#"{"content":"a\n","b":2}"#,
            r#"{"content":"a","c":"","b":2}"#,
            r#"{"content":null,"b":2}"#,
            r#"{"content":","b":2}"#,
            "{\"content\":\"a\tb\",\"b\":2}",
            "",
        ] {
            assert_eq!(read(&mut template, line), None, "{line}");
        }
        assert_eq!(template.read(b"{\"content\":\"\xff\",\"b\":2}"), None);
        assert_eq!(Template::default().read(b""), None);
    }

    #[test]
    fn only_what_leaves_nothing_behind_is_learned() {
        let mut template = Template::default();
        template.learn(br#"{"content":"","text":"x"}"#, |line| line == br#"{"content":"","text":""}"#);
        assert_eq!(read(&mut template, r#"{"content":"","text":"y"}"#), Some(true));
        let mut template = Template::default();
        template.learn(br#"{"content":"x"}"#, |_| false);
        assert_eq!(read(&mut template, r#"{"content":"x"}"#), None);
    }

    #[test]
    fn what_never_repeats_is_not_learned_for_ever() {
        let asked = std::cell::Cell::new(0);
        let mut template = Template::default();
        for time in 0..100 {
            let line = format!(r#"{{"created":{time},"content":"x"}}"#);
            assert_eq!(read(&mut template, &line), None);
            template.learn(line.as_bytes(), |_| {
                asked.set(asked.get() + 1);
                true
            });
        }
        assert_eq!(asked.get(), IN_VAIN_MAX);
    }
}
