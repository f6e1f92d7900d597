//! A deserializer's errors, in the words of someone who writes a file.

use crate::config::error::ConfigError;
use crate::text::nearest::{did_you_mean, did_you_mean_key};

#[derive(Debug, PartialEq)]
pub(crate) struct Complaint {
    pub message: String,
    pub help: Option<String>,
}

impl Complaint {
    /// `key` is the key whose value is wrong, if that is known. A message of two lines is a message and its help.
    pub(crate) fn of_serde(message: &str, key: Option<&str>) -> Complaint {
        if let Some((word, valid)) = unknown("unknown field", message) {
            return Complaint::with_help(
                format!("unknown key `{word}`"),
                did_you_mean_key(word, valid.iter().copied()),
            );
        }
        if let Some((word, valid)) = unknown("unknown variant", message) {
            let what = key.unwrap_or("value");
            return Complaint::with_help(
                format!("unknown {what} `{word}`"),
                did_you_mean(word, valid.iter().copied()),
            );
        }
        if let Some(field) = quoted_after("missing field ", message) {
            return Complaint::missing(field);
        }
        for kind in ["invalid type: ", "invalid value: "] {
            let sides = message.strip_prefix(kind).and_then(|rest| rest.rsplit_once(", expected "));
            if let Some((found, expected)) = sides {
                let subject = key.map(|key| format!("`{key}`: ")).unwrap_or_default();
                let message = format!("{subject}expected {}, found {found}", spoken(expected));
                let help = (expected == "a string").then(|| "put it in quotes".to_owned());
                return Complaint { message, help };
            }
        }
        match message.split_once('\n') {
            Some((message, help)) => Complaint::with_help(message.to_owned(), help.to_owned()),
            None => Complaint { message: message.to_owned(), help: None },
        }
    }

    /// The byte at which a line of JSON goes wrong, and why.
    pub(crate) fn of_json(error: &serde_json::Error) -> (usize, Complaint) {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&place).unwrap_or(&message);
        if error.is_data() {
            return (0, Complaint::of_serde(message, None));
        }
        let complaint = Complaint { message: format!("not JSON: {message}"), help: None };
        (error.column().saturating_sub(1), complaint)
    }

    pub(crate) fn missing(key: &str) -> Complaint {
        Complaint { message: format!("missing key `{key}`"), help: example(key) }
    }

    pub(crate) fn into_error(self, place: impl FnOnce(String) -> ConfigError) -> ConfigError {
        let error = place(self.message);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }

    fn with_help(message: String, help: String) -> Complaint {
        Complaint { message, help: Some(help) }
    }
}

/// How to write a required key.
fn example(key: &str) -> Option<String> {
    let text = match key {
        "targets" => "targets = [\"sim\"]",
        "workload" => "a table [workload] with `prompts` and `output_tokens`",
        "prompts" => "prompts = { synthetic = { input_tokens = 512 } }",
        "output_tokens" => "output_tokens = 128",
        "input_tokens" => "input_tokens = 512",
        "engine" => "engine = \"simulator\"",
        _ => return None,
    };
    Some(format!("add {text}"))
}

/// Splits "unknown field `a`, expected one of `b`, `c`" into `a` and `[b, c]`.
fn unknown<'m>(prefix: &str, message: &'m str) -> Option<(&'m str, Vec<&'m str>)> {
    let word = quoted_after(&format!("{prefix} "), message)?;
    let rest = message[prefix.len()..].trim_start().strip_prefix('`')?.get(word.len() + 1..)?;
    Some((word, rest.split('`').skip(1).step_by(2).collect()))
}

fn quoted_after<'m>(prefix: &str, message: &'m str) -> Option<&'m str> {
    let rest = message.strip_prefix(prefix)?.strip_prefix('`')?;
    rest.split('`').next()
}

fn spoken(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "a table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_suggests_the_nearest_one() {
        let complaint = Complaint::of_serde(
            "unknown field `round`, expected one of `warmup`, `rounds`, `sessions`",
            None,
        );
        assert_eq!(complaint.message, "unknown key `round`");
        assert_eq!(
            complaint.help.as_deref(),
            Some("did you mean `rounds`? Valid here: `warmup`, `rounds`, `sessions`")
        );
    }

    #[test]
    fn a_wrong_type_names_the_key_and_the_expected_type() {
        let complaint = Complaint::of_serde("invalid type: string \"4\", expected u32", Some("rounds"));
        assert_eq!(
            complaint.message,
            "`rounds`: expected a whole number from 0 to 4294967295, found string \"4\""
        );
    }

    #[test]
    fn a_second_line_is_the_help() {
        let complaint = Complaint::of_serde("no unit\nwrite \"3%\"", None);
        assert_eq!(complaint.help.as_deref(), Some("write \"3%\""));
    }
}
