//! A page of reports as one HTML file: no network, no font, no other file.
//!
//! Charts are the SVG of [`svg`](crate::report::svg), each laid out twice, for a desk and for a phone; the style sheet shows
//! one of them. Their colours are the style sheet's variables, so dark mode and print need no script.

use std::fmt::Write;

use crate::report::chart::Chart;
use crate::report::chart::palette::{DARK, LIGHT, Palette};
use crate::report::page::{Align, Grid, Page, Section};
use crate::report::picture::{NARROW, WIDE, picture};
use crate::report::svg::{element, escaped};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The colours by the names that the style sheet gives them.
const NAMED: Palette = Palette {
    paper: "var(--paper)",
    ink: "var(--ink)",
    faint: "var(--faint)",
    grid: "var(--grid)",
    old: "var(--old)",
    limit: "var(--limit)",
    targets: [
        "var(--target-0)",
        "var(--target-1)",
        "var(--target-2)",
        "var(--target-3)",
        "var(--target-4)",
        "var(--target-5)",
    ],
};

/// Whatever a name may hold, the page can neither load nor send anything.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

pub fn html(page: &Page) -> String {
    let title = escaped(&page.title);
    let sections: String = page.sections.iter().map(section).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{}{STYLE}{}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n{}</header>\n<main>\n{sections}</main>\n<div id=\"note\" hidden></div>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        variables(),
        hiding(page.targets.len()),
        controls(&page.targets),
    )
}

/// Light, unless the reader's system or the page's button says dark; on paper always light.
fn variables() -> String {
    let (light, dark) = (values(&LIGHT), values(&DARK));
    format!(
        ":root {{ color-scheme: light; {light} }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }} }}\n\
         @media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark} }} }}\n"
    )
}

fn values(palette: &Palette) -> String {
    let Palette { paper, ink, faint, grid, old, limit, targets } = palette;
    let mut values = format!(
        "--paper: {paper}; --ink: {ink}; --faint: {faint}; --grid: {grid}; --old: {old}; --limit: {limit};"
    );
    for (number, colour) in targets.iter().enumerate() {
        write!(values, " --target-{number}: {colour};").expect("memory takes writes");
    }
    values
}

/// What the boxes of [`controls`] switch.
fn hiding(targets: usize) -> String {
    (0..targets)
        .map(|number| format!(".hide-target-{number} .target-{number} {{ display: none; }}\n"))
        .collect()
}

fn controls(targets: &[String]) -> String {
    let boxes = targets.iter().enumerate().map(|(number, name)| {
        format!(
            "<label><input type=\"checkbox\" checked data-target=\"target-{number}\">\
             <span class=\"swatch\" data-colour=\"{}\"></span>{}</label>\n",
            number % LIGHT.targets.len(),
            escaped(name),
        )
    });
    // One target needs no filter.
    let boxes: String = if targets.len() > 1 { boxes.collect() } else { String::new() };
    format!("<nav>\n{boxes}<button type=\"button\" id=\"theme\">Light / dark</button>\n</nav>\n")
}

fn section(section: &Section) -> String {
    let class = section.target.map(|number| format!(" class=\"target-{number}\"")).unwrap_or_default();
    let grids: String = section.grids.iter().map(grid).collect();
    let charts: String = section.charts.iter().map(|chart| figure(&section.name, chart)).collect();
    let remarks: String =
        section.remarks.iter().map(|remark| format!("<li>{}</li>\n", lines(remark))).collect();
    let remarks =
        if remarks.is_empty() { remarks } else { format!("<ul class=\"remarks\">\n{remarks}</ul>\n") };
    let lead = if section.lead.is_empty() {
        String::new()
    } else {
        format!("<p class=\"lead\">{}</p>\n", lines(&section.lead))
    };
    format!(
        "<section{class}>\n<h2>{}</h2>\n{lead}{grids}{remarks}{charts}</section>\n",
        escaped(&section.heading)
    )
}

fn figure(section: &str, chart: &Chart) -> String {
    let drawn = |width: f64| element(&picture(chart, width), &NAMED);
    format!(
        "<figure id=\"{}\">\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n</figure>\n",
        escaped(&format!("{section}--{}", chart.name)),
        drawn(WIDE),
        drawn(NARROW),
    )
}

fn grid(grid: &Grid) -> String {
    let row = |tag: &str, cells: &[String]| -> String {
        let cells = cells.iter().zip(&grid.align).map(|(cell, align)| {
            let class = if *align == Align::Right { " class=\"right\"" } else { "" };
            format!("<{tag}{class}>{}</{tag}>", escaped(cell))
        });
        cells.collect()
    };
    let rows = grid.rows.iter().map(|line| {
        let class = line.target.map(|number| format!(" class=\"target-{number}\"")).unwrap_or_default();
        format!("<tr{class}>{}</tr>\n", row("td", &line.cells))
    });
    format!(
        "<div class=\"table\"><table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
        escaped(&grid.title),
        row("th", &grid.head),
        rows.collect::<String>(),
    )
}

fn lines(text: &str) -> String {
    escaped(text).replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::example as charts;
    use crate::report::gathered::Gathered;
    use crate::report::{Report, example, sweep};

    fn of_scenarios(scenarios: Vec<Report>) -> Page {
        Page::of(&Gathered { scenarios, ..Gathered::default() })
    }

    #[test]
    fn a_hostile_sweep_stays_text() {
        let text =
            html(&Page::of(&Gathered { sweeps: vec![sweep::example::nasty()], ..Gathered::default() }));
        assert_eq!(text.matches("<script").count(), 1, "only the page's own");
        assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn the_page_has_no_address_to_load_anything_from() {
        let text = html(&of_scenarios(vec![example::proven(), example::ok()]));
        assert!(!text.contains("src=") && !text.contains("@import") && !text.contains("url("), "{text}");
        let addresses: Vec<&str> = text.match_indices("http").map(|(at, _)| &text[at..at + 30]).collect();
        assert!(
            addresses.iter().all(|address| ["http-equiv", "http://www.w3.org/2000/svg"]
                .iter()
                .any(|known| address.starts_with(known))),
            "{addresses:?}"
        );
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut page = of_scenarios(vec![example::nasty(), example::ok()]);
        page.sections[0].charts.push(charts::nasty());
        page.title = charts::nasty().title;
        let text = html(&page);
        assert_eq!(text.matches("<script").count(), 1, "only the page's own");
        assert_eq!(text.matches("</script").count(), 1);
        assert!(!text.contains("<img") && !text.contains("onerror=alert(1)>"));
        assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn every_colour_of_a_chart_is_a_variable_of_the_style_sheet() {
        let text = html(&of_scenarios(vec![example::proven()]));
        for (at, _) in text.match_indices("var(--") {
            let name = text[at + 4..].split(')').next().unwrap();
            assert!(text.contains(&format!("{name}: #")), "{name} is not given a colour");
        }
    }
}
