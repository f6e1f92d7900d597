//! One TOML file of the suite with its overrides and variables put in, every value still knowing where it stands.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::complaint::Complaint;
use crate::config::error::ConfigError;
use crate::config::expand::{EnvLookup, Expanded, Unset, expand};
use crate::config::overrides::{Override, TOLLGATE_SET};

/// A file's text under the name it has in errors.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFile {
    /// Relative to the suite's root: `perf-tests/targets.toml`.
    pub path: String,
    pub text: String,
}

/// Spans count through the file's text, and behind it, one byte on, through the overrides' text.
pub struct Document<'t> {
    file: &'t TextFile,
    set: &'t str,
    root: DeTable<'t>,
    unset: Vec<Unset>,
}

impl<'t> Document<'t> {
    pub fn parse(file: &'t TextFile, set: &'t str) -> Result<Document<'t>, ConfigError> {
        let unreadable = |error: toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            ConfigError::within(&file.path, &file.text, span, format!("not TOML: {}", error.message()))
        };
        let root = DeTable::parse(&file.text).map_err(unreadable)?.into_inner();
        Ok(Document { file, set, root, unset: Vec::new() })
    }

    /// The names in a table at the top: `names("targets")`.
    pub fn names(&self, table: &str) -> Vec<&str> {
        let entries = self.root.get(table).and_then(|value| value.get_ref().as_table());
        entries.map(|table| table.keys().map(|key| key.get_ref().as_ref()).collect()).unwrap_or_default()
    }

    /// The table under a path of keys, if there is one.
    pub fn table_mut(&mut self, path: &[&str]) -> Option<&mut DeTable<'t>> {
        path.iter().try_fold(&mut self.root, |table, part| match table.get_mut(*part)?.get_mut() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        })
    }

    /// Puts an override in; the first `depth` parts of its key have led to this file.
    pub fn set(&mut self, depth: usize, the_override: &Override<'t>) -> Result<(), ConfigError> {
        let base = self.file.text.len() + 1;
        the_override.apply(depth, &mut self.root, base, self.set)
    }

    /// Replaces the variables. What is not to be had stays as it stands and is remembered.
    pub fn expand(&mut self, environment: EnvLookup) -> Result<(), Vec<ConfigError>> {
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

    pub fn unset(&self) -> &[Unset] {
        &self.unset
    }

    /// For a file that can't do without any of its strings.
    pub fn unset_errors(&self) -> Vec<ConfigError> {
        self.unset.iter().map(|unset| self.unset_error(unset)).collect()
    }

    /// The whole file as a typed table.
    pub fn read<T: Deserialize<'t>>(&self) -> Result<T, ConfigError> {
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
    pub fn error_at(&self, path: &[&str], message: impl Into<String>) -> ConfigError {
        let span = self.find(path).map_or(0..0, |(_, value)| value);
        self.error(span, message)
    }

    /// An error about the last key of a path.
    pub fn error_at_key(&self, path: &[&str], message: impl Into<String>) -> ConfigError {
        let span = self.find(path).map_or(0..0, |(key, _)| key);
        self.error(span, message)
    }

    /// Sorts names in a table by where they stand, which is the order a reader expects.
    pub fn in_order<'n>(&self, path: &[&str], names: impl Iterator<Item = &'n String>) -> Vec<&'n String> {
        let mut names: Vec<&String> = names.collect();
        names.sort_by_key(|name| {
            let whole: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            self.find(&whole).map_or(0, |(key, _)| key.start)
        });
        names
    }

    /// Where a span starts, as `file:line:column`.
    pub fn position(&self, span: Range<usize>) -> String {
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

    /// The spans of a path's last key and of its value, as far as the path exists.
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

/// The key whose value stands at `span`.
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
