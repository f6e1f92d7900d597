//! `${VARIABLE}` in strings.

use std::ops::Range;

/// The value of an environment variable, if it is set.
pub(crate) type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a string becomes.
#[derive(Debug, PartialEq)]
pub(crate) enum Expanded {
    /// The string has no variables.
    Unchanged,
    Replaced(String),
    /// A variable is missing: `environment variable NAME is not set`.
    Unset(String),
    /// Something begins with `${` but is not a variable.
    Malformed(String),
}

/// A string whose variable is not set.
#[derive(Clone, Debug)]
pub(crate) struct Unset {
    /// The keys that lead to it.
    pub path: Vec<String>,
    pub span: Range<usize>,
    pub reason: String,
}

/// Replaces every `${NAME}`; `$${` stands for `${` itself. An empty variable counts as unset: CI systems leave a secret
/// empty if they don't have it.
pub(crate) fn expand(text: &str, environment: EnvLookup) -> Expanded {
    if !text.contains("${") {
        return Expanded::Unchanged;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let escaped = rest[..at].ends_with('$');
        out.push_str(&rest[..at]);
        rest = &rest[at + 2..];
        if escaped {
            out.push('{');
            continue;
        }
        let Some(end) = rest.find('}') else {
            return Expanded::Malformed("`${` is not closed".to_owned());
        };
        let name = &rest[..end];
        if !is_variable_name(name) {
            return Expanded::Malformed(format!("`{name}` is not the name of an environment variable"));
        }
        match environment(name) {
            Some(value) if !value.is_empty() => out.push_str(&value),
            Some(_) => return Expanded::Unset(format!("environment variable {name} is empty")),
            None => return Expanded::Unset(format!("environment variable {name} is not set")),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Expanded::Replaced(out)
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Expanded {
        expand(text, &|name| match name {
            "HOST" => Some("box".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn every_variable_of_a_string_is_replaced() {
        assert_eq!(expanded("http://${HOST}:1/${HOST}"), Expanded::Replaced("http://box:1/box".into()));
    }

    #[test]
    fn a_doubled_dollar_keeps_the_braces() {
        assert_eq!(expanded("echo $${HOST} ${HOST}"), Expanded::Replaced("echo ${HOST} box".into()));
    }

    #[test]
    fn a_lone_dollar_is_left_alone() {
        assert_eq!(expanded("costs $5 {x}"), Expanded::Unchanged);
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(expanded("${NOPE}"), Expanded::Unset("environment variable NOPE is not set".into()));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(expanded("${EMPTY}"), Expanded::Unset("environment variable EMPTY is empty".into()));
    }

    #[test]
    fn text_that_is_not_a_variable_is_rejected() {
        for text in ["${", "${}", "${A B}", "${A:-b}"] {
            assert!(matches!(expanded(text), Expanded::Malformed(_)), "{text}");
        }
    }
}
