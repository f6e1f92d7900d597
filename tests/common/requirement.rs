//! What a test needs that isn't everywhere.

use libtest_mimic::{Completion, Failed};

/// The answer of a test that lacks something: it is ignored with the reason, or fails where `TOLLGATE_REQUIRE` names it.
pub fn lacking(name: &str, reason: &str) -> Result<Completion, Failed> {
    let required = std::env::var("TOLLGATE_REQUIRE").unwrap_or_default();
    if required.split(',').any(|required| required.trim() == name) {
        return Err(format!("{reason}, and TOLLGATE_REQUIRE names {name}").into());
    }
    Ok(Completion::ignored_with(reason))
}
