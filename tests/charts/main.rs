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
/// A name that would do harm if it were parsed as markup, a script, or a formula.
const HOSTILE: &str =
    "=HYPERLINK(1)</script><script>window.harmed=1</script><img src=x onerror='window.harmed=1'>\"]]>";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        Trial::ignorable_test("the_page_of_a_run_works_from_a_file_without_a_network", page_of_a_run),
        Trial::ignorable_test("the_page_of_a_sweep_and_its_comparison_works_the_same", page_of_a_sweep),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn page_of_a_run() -> Result<Completion, Failed> {
    let folder = TempDir::new()?;
    in_a_browser(|| run_page(folder.path()), |_| {})
}

fn page_of_a_sweep() -> Result<Completion, Failed> {
    let folder = TempDir::new()?;
    in_a_browser(
        || sweep_page(folder.path()),
        |browser| {
            what_to_take_comes_first(browser);
            no_table_is_scrolled_sideways(browser, 1280);
            no_table_is_scrolled_sideways(browser, 375);
        },
    )
}

fn in_a_browser(page: impl Fn() -> PathBuf, more: impl Fn(&mut Browser)) -> Result<Completion, Failed> {
    let Some(mut browser) = Browser::start()? else {
        return lacking("chromium", "chromium or chromedriver is not installed");
    };
    let page = page();
    assert!(fs::metadata(&page)?.len() < LARGEST_BYTES, "{} is too large", page.display());
    browser.open(&page);
    every_chart_is_drawn(&mut browser);
    nothing_was_harmed(&mut browser);
    a_target_can_be_hidden(&mut browser);
    it_is_dark_if_the_system_is(&mut browser);
    more(&mut browser);
    it_fits_on_a_phone(&mut browser);
    assert_eq!(browser.console(), [""; 0], "the console has to stay empty");
    Ok(Completion::Completed)
}

/// The page of two measured reports, the second with hostile names.
fn run_page(folder: &Path) -> PathBuf {
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
    written(folder, &[&first, &second])
}

/// The page of a real sweep over two engines, one with a hostile name, and of its comparison.
fn sweep_page(folder: &Path) -> PathBuf {
    let engine = || EngineProcess::start(&["prefill_base_ms=5", "decode_step_ms=2", "cold_start_ms=0"]);
    let (one, other) = (engine(), engine());
    let (sweep, comparison) = (folder.join("sweep.json"), folder.join("comparison.json"));
    let urls = [format!("quick={}", one.url), format!("other={}", other.url)];
    let levels =
        ["--concurrency", "1,2,4", "--rounds", "2", "--max-tokens", "8", "--limits", "ttft_ms_p95=50"];
    let names = ["sweep", "--url", &urls[0], "--url", &urls[1], "--json", sweep.to_str().unwrap()];
    tollgate(&names, &levels).assert_exit(0);
    let mut report: Value = serde_json::from_str(&fs::read_to_string(&sweep).unwrap()).unwrap();
    report["targets"][1]["name"] = json!(HOSTILE);
    report["targets"][1]["environment"]["model"] = json!(HOSTILE);
    report["warnings"] = json!([HOSTILE]);
    fs::write(&sweep, report.to_string()).unwrap();
    let compared = ["compare", sweep.to_str().unwrap(), "--json", comparison.to_str().unwrap()];
    tollgate(&compared, &["--simplicity", &format!("quick=3,{HOSTILE}=5")]).assert_exit(0);
    written(folder, &[&sweep, &comparison])
}

fn written(folder: &Path, reports: &[&Path]) -> PathBuf {
    let page = folder.join("page.html");
    let reports: Vec<&str> = reports.iter().map(|report| report.to_str().unwrap()).collect();
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

fn what_to_take_comes_first(browser: &mut Browser) {
    let kinds = browser.run(
        "return [...document.querySelectorAll('section')[0].children].map(block => block.tagName + block.className)",
    );
    let kinds: Vec<&str> = kinds.as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect();
    let first = |wanted: &str| kinds.iter().position(|kind| *kind == wanted).unwrap();
    let last = |wanted: &str| kinds.iter().rposition(|kind| *kind == wanted).unwrap();
    assert!(first("Plead") < first("DIVtable") && first("DIVtable") < first("FIGURE"), "{kinds:?}");
    assert!(last("FIGURE") < last("DIVtable"), "{kinds:?}");
}

fn no_table_is_scrolled_sideways(browser: &mut Browser, width: u32) {
    browser.resize(width);
    let cut = browser.run(
        "return [...document.querySelectorAll('.table')].filter(table => table.scrollWidth > table.clientWidth)
            .map(table => table.innerText.slice(0, 200) + ': ' + table.scrollWidth + ' > ' + table.clientWidth)",
    );
    assert_eq!(cut, json!([]), "at {width}");
}

fn nothing_was_harmed(browser: &mut Browser) {
    assert_eq!(browser.run("return window.harmed ?? null"), Value::Null);
    assert_eq!(
        browser.run("return document.images.length + document.scripts.length"),
        1,
        "the page's own script"
    );
    let shown = browser.run("return document.body.textContent");
    assert!(shown.as_str().unwrap().contains("=HYPERLINK(1)</script>"), "the name is shown unchanged");
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

fn it_is_dark_if_the_system_is(browser: &mut Browser) {
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
    assert!(width.as_u64() <= Some(375), "the page is {width} wide and needs scrolling");
    // The smallest text of the narrow layout has 11.5 units.
    let scales = browser.run(
        "return [...document.querySelectorAll('figure svg')].map(svg => [svg, svg.getBoundingClientRect().width])
            .filter(([_, width]) => width > 0).map(([svg, width]) => width / svg.viewBox.baseVal.width)",
    );
    let scales = scales.as_array().expect("a list of scales");
    assert!(!scales.is_empty() && scales.iter().all(|scale| scale.as_f64() > Some(0.9)), "{scales:?}");
    every_chart_is_drawn(browser);
}
