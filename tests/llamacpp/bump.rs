//! A version bump of a real engine in real containers: the same version, a slower one, a proof, and its acceptance.

use std::env;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Failed};
use tollgate::internals::Verdict;

use crate::common::requirement::lacking;
use crate::common::{Outcome, Suite};
use crate::{ID, SCENARIO, SCRIPT, SLOW};

/// Two tags of one image, and an image whose entry point has different flags: a version that really is slower.
const OLD: &str = "tollgate-test-llamacpp:1.0";
const SAME: &str = "tollgate-test-llamacpp:1.1";
const SLOWER: &str = "tollgate-test-llamacpp:2.0";

pub fn a_bump_to_a_slower_image_is_proven() -> Result<Completion, Failed> {
    let Ok(script) = env::var(SCRIPT) else { return lacking("llamacpp", &format!("{SCRIPT} is not set")) };
    if !Command::new("docker").arg("version").output().is_ok_and(|docker| docker.status.success()) {
        return lacking("docker", "there is no Docker here");
    }
    make_images(&script);
    let suite =
        Suite::of(&[("targets.toml", &targets(OLD, &models(&script))), ("scenarios/small.toml", SCENARIO)]);
    let bump = |image: &str| suite.write("perf-tests/targets.toml", &targets(image, &models(&script)));

    suite.run(&[]).assert_exit(101).assert_says("NO BASELINE");
    suite.accept(&[]).assert_exit(0);

    bump(SAME);
    let same = suite.run(&[]);
    // An image can't be slower than itself, whatever else the machine does.
    assert_ne!(suite.report(ID).verdict, Verdict::Regressed, "{same}");

    bump(SLOWER);
    let slower = suite.run(&[]);
    slower.assert_exit(101).assert_says("Proven on this machine");
    let report = suite.report(ID);
    assert_eq!(report.verdict, Verdict::Regressed, "{slower}");
    let junit = suite.junit_text("failure").unwrap();
    assert!(junit.contains("in llamacpp 2.0 than in llamacpp 1.0"), "{junit}");

    suite.accept(&[]).assert_exit(0);
    let accepted = suite.run(&[]);
    assert_ne!(suite.report(ID).verdict, Verdict::Regressed, "{accepted}");
    docker(&["rmi", "-f", OLD, SAME, SLOWER]);
    Ok(Completion::Completed)
}

fn targets(image: &str, models: &str) -> String {
    format!(
        r#"[targets.llamacpp]
engine = "llamacpp"
image = "{image}"
pull = "never"
model = "gemma-3-270m"
volumes = ["{models}:/models:ro"]
args = ["-m", "/models/gemma-3-270m-q4_k_m.gguf", "--host", "0.0.0.0", "-np", "4", "-c", "8192", "-t", "1"]
"#
    )
}

/// The script prints the path of its model.
fn models(script: &str) -> String {
    let setup = Outcome::of(Command::new(script).arg("setup"));
    let model = setup.assert_exit(0).stdout.trim().to_owned();
    Path::new(&model).parent().expect("a file is in a folder").display().to_string()
}

fn make_images(script: &str) {
    Outcome::of(Command::new(script).args(["image", OLD])).assert_exit(0);
    docker(&["tag", OLD, SAME]);
    let container = docker(&["create", OLD]);
    let entry_point = [&["/opt/llama/llama-server"], SLOW.as_slice()].concat();
    let change = format!("ENTRYPOINT {}", serde_json::to_string(&entry_point).unwrap());
    docker(&["commit", "--change", &change, &container, SLOWER]);
    docker(&["rm", &container]);
}

fn docker(arguments: &[&str]) -> String {
    let outcome = Outcome::of(Command::new("docker").args(arguments));
    outcome.assert_exit(0).stdout.trim().to_owned()
}
