//! Requirements of a test that are not available everywhere.

use libtest_mimic::{Completion, Failed};

/// The result of a test with a missing requirement: it is ignored with the reason, or fails if `TOLLGATE_REQUIRE` names
/// the requirement.
pub fn lacking(name: &str, reason: &str) -> Result<Completion, Failed> {
    let required = std::env::var("TOLLGATE_REQUIRE").unwrap_or_default();
    if required.split(',').any(|required| required.trim() == name) {
        Err(format!("{reason}, and TOLLGATE_REQUIRE names {name}").into())
    } else {
        Ok(Completion::ignored_with(reason))
    }
}
