//! The pictures of the README: a red run in a terminal, and the HTML report of a comparison.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::terminal;
use crate::tool::{cargo, command, not_started, root, run};

/// Makes every decoding step of the simulated engine 50 % longer.
const SLOWER: &str = "targets.sim.simulator.decode_scale=1.5";
const SCENARIO: &str = "users-4::sim";
const PENDING: &str = "baselines/simulator/chat__users-4__sim.snap.new";
/// The report's top, down to its first chart, at 1229 pixels across: sharp, and below 200 KB.
const REPORT_WINDOW: [&str; 2] = ["--window-size=1024,1200", "--force-device-scale-factor=1.2"];

pub fn renew() -> Result<(), String> {
    let folder = root().join("docs/pictures");
    let scratch = root().join("target/pictures");
    for folder in [&folder, &scratch] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    red_run(&folder.join("red-run.svg"))?;
    report(&scratch, &folder.join("report.png"))
}

fn red_run(picture: &Path) -> Result<(), String> {
    let mut suite = cargo(&["test", "--test", "perf", SCENARIO]);
    suite.env("TOLLGATE_SET", SLOWER).env("INSTA_UPDATE", "new").stderr(Stdio::inherit());
    let output = suite.output().map_err(|error| not_started(&suite, &error))?;
    remove_pending()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let failure = failure(&printed).ok_or(format!("the slower engine failed no test:\n{printed}"))?;
    if failure.contains("invalid") {
        return Err(format!("the machine was too busy for a good picture; try again:\n{failure}"));
    }
    let typed = format!("TOLLGATE_SET=\"{SLOWER}\" cargo test --test perf {SCENARIO}");
    write(picture, &terminal::svg(&typed, &failure, color))
}

/// The slower engine must not be accepted.
fn remove_pending() -> Result<(), String> {
    let pending = root().join(PENDING);
    if !pending.exists() {
        return Ok(());
    }
    fs::remove_file(&pending).map_err(|error| format!("{}: {error}", pending.display()))
}

/// The line of the failed test and its message, without the test harness's headings.
fn failure(printed: &str) -> Option<String> {
    let outcome = printed.lines().find(|line| line.starts_with("test ") && line.ends_with("FAILED"))?;
    let failure = &printed[printed.find("---- ")?..];
    let end = failure.find("\n\n").unwrap_or(failure.len());
    failure.contains("REGRESSED").then(|| format!("{outcome}\n\n{}", &failure[..end]))
}

fn color(word: &str) -> Option<&'static str> {
    match word {
        "FAILED" | "REGRESSED:" | "regressed" => Some("#ff7b72"),
        "ok" => Some("#7ee787"),
        _ => None,
    }
}

fn report(scratch: &Path, picture: &Path) -> Result<(), String> {
    let [comparison, page] =
        ["comparison.json", "report.html"].map(|name| scratch.join(name).display().to_string());
    let tollgate = |args: &[&str]| run(&mut cargo(&[&["run", "--quiet", "--"], args].concat()));
    let load = ["--scenario", "chat", "--concurrency", "1,2,4,8,16,32,64", "--rounds", "2", "--warmup", "2s"];
    let engines =
        ["compare", "--root", "xtask/engines", "--targets", "engine-a,engine-b", "--json", &comparison];
    tollgate(&[&engines[..], &load[..]].concat())?;
    tollgate(&["report", &comparison, "--output", &page])?;
    screenshot(&page, picture)
}

fn screenshot(page: &str, picture: &Path) -> Result<(), String> {
    let (to, page) = (format!("--screenshot={}", picture.display()), format!("file://{page}"));
    // Its sandbox refuses to run as root, and we trust our own page.
    let headless = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-lcd-text", "--hide-scrollbars"];
    let arguments = [&headless[..], &REPORT_WINDOW, &[&to, &page]].concat();
    run(command("chromium", &arguments).stderr(Stdio::null()))?;
    if picture.exists() { Ok(()) } else { Err(format!("chromium did not write {}", picture.display())) }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_failed_test_is_shown() {
        let printed = "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a ----\nREGRESSED: slower\n\nfailures:\n    a\n";
        assert_eq!(failure(printed).unwrap(), "test a ... FAILED\n\n---- a ----\nREGRESSED: slower");
        assert_eq!(failure("test result: ok"), None);
    }
}
