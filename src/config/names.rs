//! Names that become part of test names and file names.

/// Why a name can't be used, or `None` if it can.
pub(crate) fn objection(name: &str, punctuation: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    let spoken: Vec<String> = punctuation.chars().map(|c| format!("`{c}`")).collect();
    let rule =
        format!("letters, digits and {}, beginning and ending with a letter or digit", spoken.join(" "));
    if let Some(wrong) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!("`{name}` contains `{wrong}`; a name consists of {rule}"));
    }
    if name.contains("__") {
        return Some(format!("`{name}` contains `__`, which separates the parts of a baseline file's name"));
    }
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends_well(name.chars().next()) || !ends_well(name.chars().last()) {
        return Some(format!("`{name}` is not a name; a name consists of {rule}"));
    }
    None
}

/// For loads and targets.
pub(crate) const NAME: &str = "-_.";

/// For scenario files, whose `.toml` follows.
pub(crate) const FILE_NAME: &str = "-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["users-4", "a", "qwen3.8b", "long_context"] {
            assert_eq!(objection(name, NAME), None, "{name}");
        }
    }

    #[test]
    fn names_that_would_make_test_names_ambiguous_are_rejected() {
        for name in ["", "a::b", "a__b", "a_", "_b", "a b", "a/b", "..", "é"] {
            assert!(objection(name, NAME).is_some(), "{name}");
        }
    }
}
