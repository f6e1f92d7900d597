//! `tollgate report`: renders reports in the requested format.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;

use crate::report::chart::Chart;
use crate::report::chart::palette::{DARK, LIGHT, Palette};
use crate::report::gathered::Gathered;
use crate::report::page::{self, Page};
use crate::report::{csv, html, markdown, metrics, overview, png, svg, sweep_table, table};
use crate::results::Report;
use crate::store;
use crate::text::nearest::did_you_mean;
use crate::text::printable::one_line;

/// Show reports as a table, Markdown, CSV, JSON, an HTML page, or charts.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Report files, or folders of them, such as `target/tollgate/latest`.
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Output format [default: from the extension of --output, otherwise a table].
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
    /// File to write, or folder for all charts with svg and png [default: stdout].
    #[arg(long, value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Write only this chart, such as `changes`.
    #[arg(long, value_name = "NAME")]
    chart: Option<String>,
    /// Color theme of separate chart files; a page has both.
    #[arg(long, value_enum, default_value_t = Theme::Light)]
    theme: Theme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Table,
    Md,
    Csv,
    Json,
    /// One page with everything, for a browser; works offline.
    Html,
    /// Every chart as a separate file.
    Svg,
    /// Every chart as a separate file.
    Png,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Theme {
    Light,
    Dark,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let format = args.format()?;
    let reports = store::read_reports(&args.reports)?;
    if reports.is_empty() {
        let paths: Vec<String> = args.reports.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "no reports in {}: expected the .json files that the perf suite, bench, sweep, or compare write",
            paths.join(", ")
        );
    }
    let gathered = Gathered::of(reports);
    if format.is_of_charts() {
        return charts(args, format, &Page::of(&gathered));
    }
    if args.chart.is_some() {
        bail!("--chart needs --format svg or png; {} has no separate charts", format.name());
    }
    write(args.output.as_deref(), format.text(&gathered)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

impl ReportArgs {
    fn format(&self) -> anyhow::Result<ReportFormat> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        let Some(output) = &self.output else { return Ok(ReportFormat::Table) };
        let ending = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "txt" => Ok(ReportFormat::Table),
            "htm" => Ok(ReportFormat::Html),
            _ => ReportFormat::from_str(&ending, true).map_err(|_| {
                let known = ReportFormat::value_variants().iter().map(|format| format.name());
                let known: Vec<String> = known.collect();
                anyhow!(
                    "unknown output format for {} (set --format): {}",
                    output.display(),
                    did_you_mean(&ending, known.iter().map(String::as_str))
                )
            }),
        }
    }

    fn palette(&self) -> &'static Palette {
        match self.theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }
}

impl ReportFormat {
    fn name(self) -> String {
        self.to_possible_value().expect("no format is hidden").get_name().to_owned()
    }

    fn is_of_charts(self) -> bool {
        matches!(self, ReportFormat::Svg | ReportFormat::Png)
    }

    fn drawn(self, chart: &Chart, palette: &Palette) -> anyhow::Result<Vec<u8>> {
        match self {
            ReportFormat::Png => Ok(png::png(chart, palette)?),
            _ => Ok(svg::svg(chart, palette).into_bytes()),
        }
    }

    fn text(self, gathered: &Gathered) -> anyhow::Result<String> {
        Ok(match self {
            ReportFormat::Table => terminal(gathered),
            ReportFormat::Md => marked_down(gathered),
            ReportFormat::Csv => return separated(gathered),
            ReportFormat::Json => gathered.json(),
            ReportFormat::Html => html::html(&Page::of(gathered)),
            ReportFormat::Svg | ReportFormat::Png => unreachable!("charts are separate files"),
        })
    }
}

/// A gate's table, or every metric of a report without gates, as `tollgate bench` prints it.
fn single(report: &Report) -> String {
    if !report.gates.is_empty() || report.summary.requests.sent == 0 {
        return table::table(report);
    }
    let reason = (!report.passed).then(|| format!("{}\n", table::sentence(report)));
    reason.unwrap_or_default() + &metrics::metrics(report)
}

fn terminal(gathered: &Gathered) -> String {
    let compared = gathered.comparisons.iter().map(sweep_table::comparison);
    let swept = gathered.sweeps.iter().map(sweep_table::sweep);
    let gated = match gathered.scenarios.as_slice() {
        [] => None,
        [report] => Some(format!("{}\n{}", report.scenario, single(report))),
        reports => Some(overview::overview(reports)),
    };
    compared.chain(swept).chain(gated).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// A run of a suite alone looks like a CI job's summary.
fn marked_down(gathered: &Gathered) -> String {
    if gathered.sweeps.is_empty() && gathered.comparisons.is_empty() {
        markdown::markdown(&gathered.scenarios)
    } else {
        page::markdown(&Page::of(gathered))
    }
}

/// Two kinds of rows would need two files.
fn separated(gathered: &Gathered) -> anyhow::Result<String> {
    let Gathered { scenarios, sweeps, comparisons } = gathered;
    match (scenarios.as_slice(), sweeps.as_slice(), comparisons.as_slice()) {
        (scenarios, [], []) => Ok(csv::gates(scenarios)),
        ([], sweeps, []) => Ok(csv::levels(sweeps)),
        ([], [], comparisons) => Ok(csv::standings(comparisons)),
        _ => {
            bail!("scenarios, sweeps, and comparisons have different columns: write a CSV file for each kind")
        }
    }
}

fn charts(args: &ReportArgs, format: ReportFormat, page: &Page) -> anyhow::Result<ExitCode> {
    // Chart names come from target names, which may hold anything.
    let charts: Vec<(String, &Chart)> = page.charts().map(|(name, chart)| (one_line(&name), chart)).collect();
    let names = || charts.iter().map(|(name, _)| name.as_str());
    if charts.is_empty() {
        bail!("these reports have no charts: nothing was measured");
    }
    if let Some(wanted) = &args.chart {
        let found = charts.iter().find(|(name, _)| name == wanted);
        let (_, chart) = found
            .ok_or_else(|| anyhow!("there is no chart `{wanted}`: {}", did_you_mean(wanted, names())))?;
        if format == ReportFormat::Png && args.output.is_none() && io::stdout().is_terminal() {
            bail!("a terminal can't show a PNG: set --output to a file, such as {wanted}.png");
        }
        write(args.output.as_deref(), &format.drawn(chart, args.palette())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(folder) = &args.output else {
        bail!(
            "every chart is a separate file: set --output to a folder, or pick one with --chart: {}",
            names().collect::<Vec<_>>().join(", ")
        );
    };
    if looks_like_a_file(folder) {
        bail!(
            "there are {} charts, but {} looks like a single file: set --output to a folder, or pick one with --chart: {}",
            charts.len(),
            folder.display(),
            names().collect::<Vec<_>>().join(", ")
        );
    }
    for (name, chart) in &charts {
        let file = format!("{name}.{}", format.name());
        let path = store::write_rendered_in(folder, &file, &format.drawn(chart, args.palette())?)?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder's name may contain a version, and so something that looks like an extension.
fn looks_like_a_file(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_file() || (!path.is_dir() && ["svg", "png"].contains(&ending.as_str()))
}

fn write(output: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match output {
        Some(path) => {
            store::write_rendered(path, bytes)?;
            println!("{}", path.display());
        }
        None => match io::stdout().write_all(bytes) {
            // The reader closed the pipe.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("can't write to stdout")?,
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sweep;

    fn args(output: Option<PathBuf>, chart: Option<&str>) -> ReportArgs {
        let chart = chart.map(str::to_owned);
        ReportArgs { reports: Vec::new(), format: None, output, chart, theme: Theme::Light }
    }

    fn format(output: &str) -> Result<ReportFormat, String> {
        args(Some(output.into()), None).format().map_err(|error| error.to_string())
    }

    /// The error for charts of a sweep with hostile names that can't be written.
    fn complaint(args: &ReportArgs) -> String {
        let page = Page::of(&Gathered { sweeps: vec![sweep::example::nasty()], ..Gathered::default() });
        charts(args, ReportFormat::Svg, &page).unwrap_err().to_string()
    }

    #[test]
    fn chart_names_cannot_inject_terminal_codes() {
        for said in [complaint(&args(None, Some("nothing"))), complaint(&args(None, None))] {
            assert!(said.contains("load-wide"), "{said}");
            assert!(!said.contains(['\x1b', '\0', '\u{202e}']), "{said:?}");
        }
    }

    #[test]
    fn a_chart_folders_name_may_contain_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let page = Page::of(&Gathered { sweeps: vec![sweep::example::crossing()], ..Gathered::default() });
        let output = folder.path().join("charts-v0.32");
        charts(&args(Some(output.clone()), None), ReportFormat::Svg, &page).unwrap();
        assert!(output.join("throughput.svg").is_file());
        for file in [output.join("throughput.svg"), folder.path().join("ttft.png")] {
            assert!(complaint(&args(Some(file), None)).contains("looks like a single file"));
        }
    }

    #[test]
    fn the_format_follows_the_output_extension() {
        assert_eq!(format("a/report.html"), Ok(ReportFormat::Html));
        assert_eq!(format("report.CSV"), Ok(ReportFormat::Csv));
        assert_eq!(format("ttft.png"), Ok(ReportFormat::Png));
        assert_eq!(format("report.txt"), Ok(ReportFormat::Table));
        let error = format("report.htlm").unwrap_err();
        assert!(
            error.starts_with("unknown output format for report.htlm (set --format): did you mean `html`?"),
            "{error}"
        );
        assert!(format("folder").unwrap_err().contains("(set --format)"));
    }
}
