//! HTTP headers that are sent with every request.

use std::collections::BTreeSet;

/// A name that is given twice, whatever its case.
pub(crate) fn header_twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(name.to_ascii_lowercase()))
}

/// Whether the name is what RFC 9110 calls a token.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_header_is_found_regardless_of_case() {
        assert_eq!(header_twice(["X-Team", "x-key", "x-team"]), Some("x-team"));
        assert_eq!(header_twice(["X-Team", "X-Teams"]), None);
    }
}
