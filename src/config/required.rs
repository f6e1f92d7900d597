//! `TOLLGATE_REQUIRE=staging,docker`: what must be available. If it is not, that is an error instead of a reason to ignore
//! a test.

use std::collections::BTreeSet;

use crate::config::{ConfigError, Suite, SuiteErrors};
use crate::text::nearest::did_you_mean;

/// The variable that holds the names, and its name in errors.
pub(crate) const TOLLGATE_REQUIRE: &str = "TOLLGATE_REQUIRE";

/// What a machine can lack. tollgate's own tests read the same variable and need some of these.
const CAPABILITIES: [&str; 6] = ["docker", "gpu", "llamacpp", "chromium", "cargo-nextest", "cargo-insta"];

/// The required names: targets of the suite, their engines, or capabilities. Anything else is an error, because a typo
/// would silently require nothing.
pub(crate) fn required(text: &str, suite: &Suite) -> Result<Vec<String>, SuiteErrors> {
    let of_suite = suite.targets.values().flat_map(|target| [target.name.as_str(), target.engine.name()]);
    let valid: BTreeSet<&str> = of_suite.chain(CAPABILITIES).collect();
    let mut names = Vec::new();
    let mut errors = Vec::new();
    let mut start = 0;
    for part in text.split(',') {
        let name = part.trim();
        let begin = start + part.find(name).unwrap_or(0);
        start += part.len() + 1;
        if valid.contains(name) {
            names.push(name.to_owned());
        } else if !name.is_empty() {
            let (place, message) = (begin..begin + name.len(), format!("unknown requirement `{name}`"));
            let error = ConfigError::within(TOLLGATE_REQUIRE, text, place, message);
            errors.push(error.help(did_you_mean(name, valid.iter().copied())));
        }
    }
    if errors.is_empty() { Ok(names) } else { Err(SuiteErrors(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SuiteText, TextFile, parse};

    fn suite() -> Suite {
        let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let scenario = "targets = [\"staging\"]\nworkload = { prompts = [\"Why?\"], output_tokens = 8 }\n\
                        load.user = { concurrency = 1, requests = 1 }\ngates.ttft_ms_p50 = { max = 9 }\n";
        let targets = "[targets.staging]\nengine = \"vllm\"\nurl = \"http://127.0.0.1:8000\"\n";
        let text = SuiteText {
            targets: file("perf-tests/targets.toml", targets),
            scenarios: vec![file("perf-tests/scenarios/chat.toml", scenario)],
            overrides: String::new(),
            environment: &|_| None,
            prompts: &|_| unreachable!("the prompts are in the file"),
        };
        parse(&text).unwrap()
    }

    #[test]
    fn targets_engines_and_tools_can_be_required() {
        assert_eq!(required("staging, vllm,docker,", &suite()).unwrap(), ["staging", "vllm", "docker"]);
        assert_eq!(required("", &suite()).unwrap(), [""; 0]);
    }

    #[test]
    fn a_typo_suggests_the_nearest_name() {
        let said = required("vllm, dokcer", &suite()).unwrap_err().to_string();
        let expected =
            "TOLLGATE_REQUIRE:1:7: unknown requirement `dokcer` (did you mean `docker`? Valid here: ";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains("`staging`, `vllm`"), "{said}");
    }

    #[test]
    fn an_engine_outside_the_suite_cant_be_required() {
        let said = required("simulator", &suite()).unwrap_err().to_string();
        assert!(said.starts_with("TOLLGATE_REQUIRE:1:1: unknown requirement `simulator`"), "{said}");
    }
}
