//! `renovate.json` matches every image that a target can name, and nothing else.

use regex::Regex;
use serde_json::Value;

/// Renovate uses RE2's regular expressions, and so does this crate.
fn manager() -> (Regex, Regex) {
    let config: Value = serde_json::from_str(include_str!("../renovate.json")).unwrap();
    let manager = &config["customManagers"][0];
    let file = manager["managerFilePatterns"][0].as_str().unwrap();
    let file = file.strip_prefix('/').unwrap().strip_suffix('/').unwrap().replace("\\/", "/");
    (Regex::new(&file).unwrap(), Regex::new(manager["matchStrings"][0].as_str().unwrap()).unwrap())
}

/// Name, version, and digest of each image.
fn found(text: &str) -> Vec<(String, String, Option<String>)> {
    let (_, image) = manager();
    let part = |captures: &regex::Captures, name| captures.name(name).map(|part| part.as_str().to_owned());
    let images = image.captures_iter(text).map(|captures| {
        let [name, version] = ["depName", "currentValue"].map(|group| part(&captures, group).unwrap());
        (name, version, part(&captures, "currentDigest"))
    });
    images.collect()
}

#[test]
fn targets_files_are_found_in_any_folder() {
    let (file, _) = manager();
    assert!(file.is_match("perf-tests/targets.toml") && file.is_match("crates/gate/perf-tests/targets.toml"));
    assert!(!file.is_match("perf-tests/scenarios/targets.toml"));
}

#[test]
fn every_image_of_the_shipped_targets_is_found() {
    let targets = include_str!("../perf-tests/targets.toml");
    let pinned = targets.lines().filter(|line| line.starts_with("image = ")).count();
    assert!(pinned > 0);
    assert_eq!(found(targets).len(), pinned);
}

#[test]
fn an_image_is_parsed_with_and_without_a_digest() {
    let digest = format!("sha256:{}", "4f".repeat(32));
    let text = format!(
        "[targets.vllm]\nimage = \"vllm/vllm-openai:v0.31.0\"   # Renovate bumps this line\n\
         [targets.tgi]\nimage=\"ghcr.io/huggingface/text-generation-inference:3.3.5@{digest}\"\n\
         [targets.own]\nimage = \"localhost:5000/own/engine:1.2\"\n"
    );
    let expected = [
        ("vllm/vllm-openai", "v0.31.0", None),
        ("ghcr.io/huggingface/text-generation-inference", "3.3.5", Some(digest.as_str())),
        ("localhost:5000/own/engine", "1.2", None),
    ];
    let expected =
        expected.map(|(name, version, digest)| (name.into(), version.into(), digest.map(str::to_owned)));
    assert_eq!(found(&text), expected);
}

#[test]
fn other_keys_are_left_alone() {
    let text =
        "images = \"a:1\"\nbase_image = \"a:1\"\nimage = \"only-local\"\nurl = \"http://127.0.0.1:8000\"\n";
    assert_eq!(found(text), []);
}
