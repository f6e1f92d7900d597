//! The list of versions to search.

use crate::text::nearest::did_you_mean;

/// Why a list can't be searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListError {
    #[error("line {line}: expected one version per line, found `{found}`")]
    Words { line: usize, found: String },
    #[error("`{version}` is listed twice, on lines {first} and {second}")]
    Twice { version: String, first: usize, second: usize },
    #[error("`{version}` is not in the list: {help}")]
    Missing { version: String, help: String },
    #[error(
        "`{good}` does not come before `{bad}`: list the versions oldest first, the good one before the bad one"
    )]
    Order { good: String, bad: String },
}

/// The versions from the good to the bad one. The list has one version per line, oldest first; `#` starts a comment.
pub(crate) fn between(list: &str, good: &str, bad: &str) -> Result<Vec<String>, ListError> {
    let versions = read(list)?;
    let place = |wanted: &str| {
        let help = || did_you_mean(wanted, versions.iter().copied());
        let missing = || ListError::Missing { version: wanted.into(), help: help() };
        versions.iter().position(|version| *version == wanted).ok_or_else(missing)
    };
    let (from, to) = (place(good)?, place(bad)?);
    if from >= to {
        return Err(ListError::Order { good: good.into(), bad: bad.into() });
    }
    Ok(versions[from..=to].iter().map(|version| (*version).to_owned()).collect())
}

fn read(list: &str) -> Result<Vec<&str>, ListError> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (line, text) in (1..).zip(list.lines()) {
        let text = text.split_once('#').map_or(text, |(before, _)| before).trim();
        if text.contains(char::is_whitespace) {
            return Err(ListError::Words { line, found: text.into() });
        }
        if let Some((first, _)) = found.iter().find(|(_, version)| *version == text) {
            return Err(ListError::Twice { version: text.into(), first: *first, second: line });
        }
        if !text.is_empty() {
            found.push((line, text));
        }
    }
    Ok(found.into_iter().map(|(_, version)| version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# oldest first\nv1\nv2   # broken\n\n v3\r\nv4";

    #[test]
    fn the_versions_from_good_to_bad_are_searched() {
        assert_eq!(between(LIST, "v1", "v4").unwrap(), ["v1", "v2", "v3", "v4"]);
        assert_eq!(between(LIST, "v2", "v3").unwrap(), ["v2", "v3"]);
    }

    #[test]
    fn the_error_for_a_missing_version_suggests_the_nearest() {
        let error = between("v0.31.0\nv0.32.0", "v0.31.1", "v0.32.0").unwrap_err();
        assert!(error.to_string().contains("v0.31.0"), "{error}");
    }

    #[test]
    fn a_list_in_the_wrong_order_is_refused() {
        assert!(matches!(between(LIST, "v4", "v1"), Err(ListError::Order { .. })));
        assert!(matches!(between(LIST, "v1", "v1"), Err(ListError::Order { .. })));
    }

    #[test]
    fn an_error_in_the_list_names_its_line() {
        let error = between("v1\nv2 v3", "v1", "v3").unwrap_err();
        assert_eq!(error, ListError::Words { line: 2, found: "v2 v3".into() });
        let error = between("v1\nv2\nv1", "v1", "v2").unwrap_err();
        assert_eq!(error, ListError::Twice { version: "v1".into(), first: 1, second: 3 });
    }
}
