//! `TOLLGATE_SET="targets.sim.simulator.decode_scale=1.08,scenarios.chat.run.rounds=2"`: sets keys of the suite's files
//! for one run.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::error::ConfigError;
use crate::text::nearest::did_you_mean;

/// The environment variable, and the name its text has in errors.
pub(crate) const TOLLGATE_SET: &str = "TOLLGATE_SET";

/// One `key=value`. Spans count within the variable's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override<'t> {
    pub key: Vec<Spanned<String>>,
    value: &'t str,
    value_at: usize,
}

/// Splits the text into pairs at the commas outside of quotes and brackets.
pub(crate) fn parse(text: &str) -> Result<Vec<Override<'_>>, ConfigError> {
    let mut overrides = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = at + pair_length(&text[at..]);
        if !text[at..end].trim().is_empty() {
            overrides.push(parse_pair(text, at..end)?);
        }
        at = end + 1;
    }
    Ok(overrides)
}

fn parse_pair(text: &str, pair: Range<usize>) -> Result<Override<'_>, ConfigError> {
    let Some(equals) = find_outside_quotes(&text[pair.clone()], '=') else {
        return Err(ConfigError::within(TOLLGATE_SET, text, pair, "expected key=value")
            .help("for example targets.sim.simulator.decode_scale=1.08"));
    };
    let equals = pair.start + equals;
    let key = parse_key(text, pair.start..equals)?;
    let value = &text[equals + 1..pair.end];
    let value_at = equals + 1 + (value.len() - value.trim_start().len());
    Ok(Override { key, value: value.trim(), value_at })
}

/// Reads a dotted key as TOML would.
fn parse_key(text: &str, span: Range<usize>) -> Result<Vec<Spanned<String>>, ConfigError> {
    let source = format!("{}=0", &text[span.clone()]);
    let not_a_key = || {
        ConfigError::within(TOLLGATE_SET, text, span.clone(), "expected a dotted key before the `=`")
            .help("quote a part that has characters other than letters, digits, - and _")
    };
    let root = DeTable::parse(&source).map_err(|_| not_a_key())?;
    let mut table = root.get_ref();
    let mut key = Vec::new();
    loop {
        let mut entries = table.iter();
        let (Some((part, value)), None) = (entries.next(), entries.next()) else { return Err(not_a_key()) };
        let part_span = span.start + part.span().start..span.start + part.span().end;
        key.push(Spanned::new(part_span, part.get_ref().to_string()));
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => return Ok(key),
        }
    }
}

/// The pair ends at the next comma that is not part of its value.
fn pair_length(text: &str) -> usize {
    let comma = find_outside_quotes(text, ',').unwrap_or(text.len());
    let Some(equals) = find_outside_quotes(text, '=').filter(|equals| *equals < comma) else { return comma };
    let value = &text[equals + 1..];
    match value.trim_start().chars().next() {
        Some('"' | '\'' | '[' | '{') => equals + 1 + find_outside_brackets(value, ',').unwrap_or(value.len()),
        _ => equals + 1 + value.find(',').unwrap_or(value.len()),
    }
}

fn find_outside_quotes(text: &str, wanted: char) -> Option<usize> {
    find_outside(text, wanted, &[])
}

fn find_outside_brackets(text: &str, wanted: char) -> Option<usize> {
    find_outside(text, wanted, &['[', '{'])
}

fn find_outside(text: &str, wanted: char, opening: &[char]) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == wanted && depth == 0 => return Some(at),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if opening.contains(&c) => depth += 1,
            None if !opening.is_empty() && (c == ']' || c == '}') => depth = depth.saturating_sub(1),
            None => {}
        }
    }
    None
}

impl<'t> Override<'t> {
    /// The value, with spans as if the variable's text started at `base`.
    fn value(&self, base: usize) -> Spanned<DeValue<'t>> {
        let base = base + self.value_at;
        match DeValue::parse(self.value) {
            Ok(value) => shifted(value, base),
            Err(_) => Spanned::new(base..base + self.value.len(), DeValue::String(self.value.into())),
        }
    }

    /// Puts the value into `table` under the key's parts from `depth` on, and creates the tables on the way.
    pub(crate) fn apply(
        &self,
        depth: usize,
        table: &mut DeTable<'t>,
        base: usize,
        text: &str,
    ) -> Result<(), ConfigError> {
        let (last, way) = self.key[depth..].split_last().expect("a key has at least one part");
        let mut table = table;
        for part in way {
            let key = placed(part, base);
            let made = Spanned::new(key.span(), DeValue::Table(DeTable::new()));
            table = match table.entry(key).or_insert(made).get_mut() {
                DeValue::Table(inner) => inner,
                other => {
                    let message =
                        format!("`{}` is not a table but {}", part.get_ref(), article(other.type_str()));
                    return Err(ConfigError::within(TOLLGATE_SET, text, part.span(), message)
                        .help(format!("set it as a whole: {}=…", part.get_ref())));
                }
            };
        }
        table.remove(last.get_ref().as_str());
        table.insert(placed(last, base), self.value(base));
        Ok(())
    }

    /// The error for a key whose part at `depth` is not one of `valid`.
    pub(crate) fn unknown_part(&self, depth: usize, text: &str, what: &str, valid: &[&str]) -> ConfigError {
        let part = &self.key[depth];
        ConfigError::within(TOLLGATE_SET, text, part.span(), format!("unknown {what} `{}`", part.get_ref()))
            .help(did_you_mean(part.get_ref(), valid.iter().copied()))
    }

    pub(crate) fn span(&self) -> Range<usize> {
        let start = self.key.first().map_or(0, |part| part.span().start);
        start..self.value_at + self.value.len()
    }
}

fn placed<'t>(part: &Spanned<String>, base: usize) -> Spanned<std::borrow::Cow<'t, str>> {
    Spanned::new(base + part.span().start..base + part.span().end, part.get_ref().clone().into())
}

fn shifted(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + by..value.span().end + by;
    let inner = match value.into_inner() {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| shifted(item, by)).collect()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let key_span = key.span().start + by..key.span().end + by;
                    (Spanned::new(key_span, key.into_inner()), shifted(value, by))
                })
                .collect(),
        ),
        scalar => scalar,
    };
    Spanned::new(span, inner)
}

fn article(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let dotted = |o: &Override| o.key.iter().map(|p| p.get_ref().clone()).collect::<Vec<_>>().join(".");
        parse(text).unwrap().iter().map(|o| (dotted(o), o.value.to_owned())).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_are_separated_by_commas() {
        assert_eq!(pairs("a.b=1, c.d=x y ,"), [pair("a.b", "1"), pair("c.d", "x y")]);
    }

    #[test]
    fn a_comma_in_quotes_or_brackets_does_not_separate_pairs() {
        let text = r#"a.b="x, y",c.d=[1, [2, 3]],e.f={ g = 1, h = "}," },i.j='k,'"#;
        assert_eq!(
            pairs(text),
            [
                pair("a.b", r#""x, y""#),
                pair("c.d", "[1, [2, 3]]"),
                pair("e.f", r#"{ g = 1, h = "}," }"#),
                pair("i.j", "'k,'"),
            ]
        );
    }

    #[test]
    fn a_value_may_contain_equals_signs_and_apostrophes() {
        assert_eq!(pairs("a.b=x=y's,c.d=1"), [pair("a.b", "x=y's"), pair("c.d", "1")]);
    }

    #[test]
    fn a_part_of_a_key_may_be_quoted() {
        let overrides = parse(r#"a."b.c,=".d=1"#).unwrap();
        let parts: Vec<&str> = overrides[0].key.iter().map(|part| part.get_ref().as_str()).collect();
        assert_eq!(parts, ["a", "b.c,=", "d"]);
    }

    #[test]
    fn a_value_that_is_not_toml_is_read_as_text() {
        let overrides = parse("a.b=http://x:8000").unwrap();
        assert_eq!(overrides[0].value(0).get_ref().as_str(), Some("http://x:8000"));
    }

    #[test]
    fn spans_lead_back_into_the_variable() {
        let text = "a.b=1,c.d=[true, 22]";
        let value = parse(text).unwrap()[1].value(0);
        let item = value.get_ref().as_array().unwrap()[1].span();
        assert_eq!(&text[item], "22");
    }

    #[test]
    fn a_pair_without_a_value_is_rejected_at_its_position() {
        let error = parse("a.b=1,c.d").unwrap_err();
        assert_eq!(error.position(), "TOLLGATE_SET:1:7");
    }

    #[test]
    fn odd_text_is_rejected_without_a_panic() {
        for text in ["=", "a", ".=1", "a..b=1", "a b=1", "\"=1", "a#=1", "a\nb=1", "=,=", "é=1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
