//! One TOML file of the suite with its overrides and variables applied; every value still knows its position.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::complaint::Complaint;
use crate::config::error::ConfigError;
use crate::config::expand::{EnvLookup, Expanded, Unset, expand};
use crate::config::overrides::{Override, TOLLGATE_SET};

/// A file's text and the name it has in errors.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFile {
    /// Relative to the suite's root: `perf-tests/targets.toml`.
    pub path: String,
    pub text: String,
}

/// Spans count through the file's text and then, one byte further on, through the text of the overrides.
pub(crate) struct Document<'t> {
    file: &'t TextFile,
    set: &'t str,
    root: DeTable<'t>,
    unset: Vec<Unset>,
}

impl<'t> Document<'t> {
    pub(crate) fn parse(file: &'t TextFile, set: &'t str) -> Result<Document<'t>, ConfigError> {
        let unreadable = |error: toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            ConfigError::within(&file.path, &file.text, span, format!("not TOML: {}", error.message()))
        };
        let root = DeTable::parse(&file.text).map_err(unreadable)?.into_inner();
        Ok(Document { file, set, root, unset: Vec::new() })
    }

    /// The names in a top-level table: `names("targets")`.
    pub(crate) fn names(&self, table: &str) -> Vec<&str> {
        let entries = self.root.get(table).and_then(|value| value.get_ref().as_table());
        entries.map(|table| table.keys().map(|key| key.get_ref().as_ref()).collect()).unwrap_or_default()
    }

    /// The table under a path of keys, if there is one.
    pub(crate) fn table_mut(&mut self, path: &[&str]) -> Option<&mut DeTable<'t>> {
        path.iter().try_fold(&mut self.root, |table, part| match table.get_mut(*part)?.get_mut() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        })
    }

    /// Applies an override; the first `depth` parts of its key have led to this file.
    pub(crate) fn set(&mut self, depth: usize, the_override: &Override<'t>) -> Result<(), ConfigError> {
        let base = self.file.text.len() + 1;
        the_override.apply(depth, &mut self.root, base, self.set)
    }

    /// Replaces the variables. Text with a variable that is not set stays as it is and is listed in `unset`.
    pub(crate) fn expand(&mut self, environment: EnvLookup) -> Result<(), Vec<ConfigError>> {
        let mut expansion =
            Expansion { environment, path: Vec::new(), unset: Vec::new(), malformed: Vec::new() };
        expansion.table(&mut self.root);
        self.unset = expansion.unset;
        let malformed = expansion.malformed.into_iter();
        let errors: Vec<ConfigError> = malformed
            .map(|(span, message)| self.error(span, message).help("write `$${` for a literal `${`"))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    pub(crate) fn unset(&self) -> &[Unset] {
        &self.unset
    }

    /// Errors for a file that needs all of its strings.
    pub(crate) fn unset_errors(&self) -> Vec<ConfigError> {
        self.unset.iter().map(|unset| self.unset_error(unset)).collect()
    }

    /// The whole file as a typed table.
    pub(crate) fn read<T: Deserialize<'t>>(&self) -> Result<T, ConfigError> {
        let root = Spanned::new(0..0, self.root.clone());
        T::deserialize(toml::de::Deserializer::from(root)).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            if let Some(unset) = self.unset.iter().find(|unset| unset.span == span) {
                return self.unset_error(unset);
            }
            let complaint = Complaint::of_serde(error.message(), key_of(&self.root, &span));
            complaint.into_error(|message| self.error(span, message))
        })
    }

    /// An error about the value under a path of keys (or indices), or the nearest table above it that exists.
    pub(crate) fn error_at(&self, path: &[&str], message: impl Into<String>) -> ConfigError {
        let span = self.find(path).map_or(0..0, |(_, value)| value);
        self.error(span, message)
    }

    /// An error about the last key of a path.
    pub(crate) fn error_at_key(&self, path: &[&str], message: impl Into<String>) -> ConfigError {
        let span = self.find(path).map_or(0..0, |(key, _)| key);
        self.error(span, message)
    }

    /// Sorts the names in a table by their position in the file, which is the order a reader expects.
    pub(crate) fn in_order<'n>(
        &self,
        path: &[&str],
        names: impl Iterator<Item = &'n String>,
    ) -> Vec<&'n String> {
        let mut names: Vec<&String> = names.collect();
        names.sort_by_key(|name| {
            let whole: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            self.find(&whole).map_or(0, |(key, _)| key.start)
        });
        names
    }

    /// Where a span starts, as `file:line:column`.
    pub(crate) fn position(&self, span: Range<usize>) -> String {
        self.error(span, "").position()
    }

    fn unset_error(&self, unset: &Unset) -> ConfigError {
        self.error(unset.span.clone(), &unset.reason).help("set it; `$${` stands for a literal `${`")
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ConfigError {
        let length = self.file.text.len();
        if span.start <= length {
            return ConfigError::within(&self.file.path, &self.file.text, span, message);
        }
        let span = span.start - length - 1..span.end - length - 1;
        ConfigError::within(TOLLGATE_SET, self.set, span, message)
    }

    /// The spans of the last key that exists on a path, and of its value.
    fn find(&self, path: &[&str]) -> Option<(Range<usize>, Range<usize>)> {
        let (first, rest) = path.split_first()?;
        let (key, mut value) = self.root.get_key_value(*first)?;
        let mut found = (key.span(), value.span());
        for part in rest {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let Some((key, inner)) = table.get_key_value(*part) else { break };
                    found = (key.span(), inner.span());
                    value = inner;
                }
                DeValue::Array(items) => {
                    let Some(item) = part.parse().ok().and_then(|index: usize| items.get(index)) else {
                        break;
                    };
                    found = (item.span(), item.span());
                    value = item;
                }
                _ => break,
            }
        }
        Some(found)
    }
}

/// The key whose value is at `span`.
fn key_of<'d>(table: &'d DeTable<'_>, span: &Range<usize>) -> Option<&'d str> {
    table.iter().find_map(|(key, value)| {
        let inside = || value.get_ref().as_table().and_then(|inner| key_of(inner, span));
        if value.span() == *span { Some(key.get_ref().as_ref()) } else { inside() }
    })
}

struct Expansion<'e> {
    environment: EnvLookup<'e>,
    path: Vec<String>,
    unset: Vec<Unset>,
    malformed: Vec<(Range<usize>, String)>,
}

impl Expansion<'_> {
    fn table(&mut self, table: &mut DeTable) {
        let keys: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
        for key in keys {
            let Some(value) = table.get_mut(key.as_str()) else { continue };
            self.path.push(key);
            self.value(value);
            self.path.pop();
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue>) {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            DeValue::String(text) => match expand(text, self.environment) {
                Expanded::Unchanged => {}
                Expanded::Replaced(expanded) => *text = expanded.into(),
                Expanded::Unset(reason) => self.unset.push(Unset { path: self.path.clone(), span, reason }),
                Expanded::Malformed(message) => self.malformed.push((span, message)),
            },
            _ => {}
        }
    }
}
