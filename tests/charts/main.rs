//! The HTML page in a real browser, from a file and without a network.

mod browser;
#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

use browser::Browser;
use common::requirement::lacking;
use common::{EngineProcess, Outcome};

const LARGEST_BYTES: u64 = 6_000_000;
/// A name that would do harm wherever it were taken for markup, a script or a formula.
const HOSTILE: &str =
    "=HYPERLINK(1)</script><script>window.harmed=1</script><img src=x onerror='window.harmed=1'>\"]]>";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials =
        vec![Trial::ignorable_test("the_page_works_from_a_file_without_a_network", page_in_a_browser)];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn page_in_a_browser() -> Result<Completion, Failed> {
    let Some(mut browser) = Browser::start()? else {
        return lacking("chromium", "chromium or chromedriver is not installed");
    };
    let folder = TempDir::new()?;
    let page = page(folder.path());
    assert!(fs::metadata(&page)?.len() < LARGEST_BYTES, "{} is too large", page.display());
    browser.open(&page);
    every_chart_is_drawn(&mut browser);
    nothing_was_harmed(&mut browser);
    a_target_can_be_hidden(&mut browser);
    it_is_dark_where_the_system_is(&mut browser);
    it_fits_on_a_phone(&mut browser);
    assert_eq!(browser.console(), [""; 0], "the console has to stay empty");
    Ok(Completion::Completed)
}

/// Of two measured reports, the second one's names hostile.
fn page(folder: &Path) -> PathBuf {
    let engine = EngineProcess::start(&["prefill_base_ms=5", "decode_step_ms=2", "cold_start_ms=0"]);
    let first = folder.join("first.json");
    let arguments =
        ["bench", "--concurrency", "2", "--requests", "8", "--max-tokens", "8", "--ignore-eos", "--url"];
    tollgate(&arguments, &[&engine.url, "--json", first.to_str().unwrap()]).assert_exit(0);
    let mut report: Value = serde_json::from_str(&fs::read_to_string(&first).unwrap()).unwrap();
    for place in ["/scenario/target", "/scenario/file", "/environment/engine", "/reason"] {
        *report.pointer_mut(place).unwrap() = json!(HOSTILE);
    }
    report["warnings"] = json!([HOSTILE]);
    let second = folder.join("second.json");
    fs::write(&second, report.to_string()).unwrap();
    let page = folder.join("page.html");
    let reports = [first.to_str().unwrap(), second.to_str().unwrap()];
    tollgate(&["report", "--output", page.to_str().unwrap()], &reports).assert_exit(0);
    page
}

fn tollgate(arguments: &[&str], more: &[&str]) -> Outcome {
    Outcome::of(Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).args(more))
}

fn every_chart_is_drawn(browser: &mut Browser) {
    let charts = browser.run(
        "return [...document.querySelectorAll('figure')].map(figure => {
            const shown = [...figure.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0);
            const paths = shown.flatMap(svg => [...svg.querySelectorAll('path')]);
            return { id: figure.id, shown: shown.length, paths: paths.length,
                     empty: paths.filter(path => path.getTotalLength() === 0).length };
        })",
    );
    let charts = charts.as_array().expect("a list of charts");
    assert!(charts.len() >= 6, "{charts:?}");
    for chart in charts {
        assert_eq!(chart["shown"], 1, "one layout at a time: {chart}");
        assert!(chart["paths"].as_u64() > Some(5) && chart["empty"] == 0, "{chart}");
    }
}

fn nothing_was_harmed(browser: &mut Browser) {
    assert_eq!(browser.run("return window.harmed ?? null"), Value::Null);
    assert_eq!(
        browser.run("return document.images.length + document.scripts.length"),
        1,
        "the page's own script"
    );
    let shown = browser.run("return document.body.textContent");
    assert!(shown.as_str().unwrap().contains("=HYPERLINK(1)</script>"), "the name is shown as it is");
}

fn a_target_can_be_hidden(browser: &mut Browser) {
    let shown = "const shown = target =>
            [...document.querySelectorAll('.' + target)].filter(mark => mark.getClientRects().length > 0).length;
        return [shown('target-0'), shown('target-1')]";
    let before = browser.run(shown);
    assert!(before[0].as_u64() > Some(0) && before[1].as_u64() > Some(0), "{before}");
    let click = "document.querySelector('input[data-target=target-0]').click()";
    browser.run(click);
    assert_eq!(browser.run(shown), json!([0, before[1]]));
    browser.run(click);
    assert_eq!(browser.run(shown), before);
}

fn it_is_dark_where_the_system_is(browser: &mut Browser) {
    let ground = "return [document.body, document.querySelector('figure svg rect')]
        .map(element => getComputedStyle(element))
        .map((style, of) => of === 0 ? style.backgroundColor : style.fill).join(' ')";
    let (light, dark) = ("rgb(255, 255, 255) rgb(255, 255, 255)", "rgb(21, 24, 29) rgb(21, 24, 29)");
    let toggle = "document.getElementById('theme').click()";
    assert_eq!(browser.run(ground), light);
    browser.prefer_dark(true);
    assert_eq!(browser.run(ground), dark);
    browser.run(toggle);
    assert_eq!(browser.run(ground), light, "the button is stronger than the system");
    browser.prefer_dark(false);
    browser.run(toggle);
    assert_eq!(browser.run(ground), dark);
    browser.run(toggle);
}

fn it_fits_on_a_phone(browser: &mut Browser) {
    browser.resize(375);
    assert_eq!(browser.run("return innerWidth"), 375);
    let width = browser.run("return document.documentElement.scrollWidth");
    assert!(width.as_u64() <= Some(375), "the page is {width} wide and has to be scrolled");
    // The smallest letters of the narrow layout have 11.5 units.
    let scales = browser.run(
        "return [...document.querySelectorAll('figure svg')].map(svg => [svg, svg.getBoundingClientRect().width])
            .filter(([_, width]) => width > 0).map(([svg, width]) => width / svg.viewBox.baseVal.width)",
    );
    let scales = scales.as_array().expect("a list of scales");
    assert!(!scales.is_empty() && scales.iter().all(|scale| scale.as_f64() > Some(0.9)), "{scales:?}");
    every_chart_is_drawn(browser);
}
