//! Renders a report page as one self-contained HTML file that loads nothing.
//!
//! Charts are inline SVG from [`svg`](crate::report::svg). Each is laid out twice, for desktops and for phones, and the
//! style sheet shows one of them. Their colors are CSS variables, so dark mode and printing need no script.

use std::fmt::Write;

use crate::report::chart::Chart;
use crate::report::chart::palette::{DARK, LIGHT, Palette};
use crate::report::page::{Align, Block, Grid, Page, Remarks, Section};
use crate::report::picture::{NARROW, WIDE, picture};
use crate::report::svg::{element, escaped};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The colors as CSS variables.
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

/// Whatever a name contains, the page can neither load nor send anything.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

pub(crate) fn html(page: &Page) -> String {
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

/// Light, unless the reader's system or the page's button selects dark; always light in print.
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
    for (number, color) in targets.iter().enumerate() {
        write!(values, " --target-{number}: {color};").expect("memory takes writes");
    }
    values
}

/// The rules that the checkboxes of [`controls`] toggle.
fn hiding(targets: usize) -> String {
    (0..targets)
        .map(|number| format!(".hide-target-{number} .target-{number} {{ display: none; }}\n"))
        .collect()
}

fn controls(targets: &[String]) -> String {
    let boxes = targets.iter().enumerate().map(|(number, name)| {
        format!(
            "<label><input type=\"checkbox\" checked data-target=\"target-{number}\">\
             <span class=\"swatch\" data-color=\"{}\"></span>{}</label>\n",
            number % LIGHT.targets.len(),
            escaped(name),
        )
    });
    // A single target needs no filter.
    let boxes: String = if targets.len() > 1 { boxes.collect() } else { String::new() };
    format!("<nav>\n{boxes}<button type=\"button\" id=\"theme\">Light / dark</button>\n</nav>\n")
}

fn section(section: &Section) -> String {
    let lead = if section.lead.is_empty() {
        String::new()
    } else {
        format!("<p class=\"lead\">{}</p>\n", lines(&section.lead))
    };
    let blocks = section.blocks.iter().map(|block| match block {
        Block::Grid(grid) => table(grid),
        Block::Chart(chart) => figure(&section.name, chart),
        Block::Remarks(remarks) => list(remarks),
    });
    format!(
        "<section{}>\n<h2>{}</h2>\n{lead}{}</section>\n",
        class("", section.target),
        escaped(&section.heading),
        blocks.collect::<String>(),
    )
}

fn list(remarks: &Remarks) -> String {
    let lines = remarks.lines.iter().map(|line| format!("<li>{}</li>\n", lines(line)));
    let title = match remarks.title.as_str() {
        "" => String::new(),
        title => format!("<h3>{}</h3>\n", escaped(title)),
    };
    format!("{title}<ul class=\"remarks\">\n{}</ul>\n", lines.collect::<String>())
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

fn table(grid: &Grid) -> String {
    let row = |tag: &str, cells: &mut dyn Iterator<Item = &String>| -> String {
        let cells = cells.zip(&grid.columns).map(|(cell, column)| {
            let align = if column.align == Align::Right { "right" } else { "" };
            format!("<{tag}{}>{}</{tag}>", class(align, column.target), breakable(cell))
        });
        cells.collect()
    };
    let rows = grid
        .rows
        .iter()
        .map(|line| format!("<tr{}>{}</tr>\n", class("", line.target), row("td", &mut line.cells.iter())));
    format!(
        "<div{}><table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
        class("table", grid.target),
        escaped(&grid.title),
        row("th", &mut grid.columns.iter().map(|column| &column.head)),
        rows.collect::<String>(),
    )
}

/// Elements that are hidden together with a target have its class.
fn class(own: &str, target: Option<usize>) -> String {
    let target = target.map(|number| format!("target-{number}")).unwrap_or_default();
    match [own, &target].join(" ").trim() {
        "" => String::new(),
        classes => format!(" class=\"{classes}\""),
    }
}

/// Allows line breaks between the parts of long names such as `output_tokens_per_s` or `Qwen/Qwen3-8B`.
fn breakable(text: &str) -> String {
    ["_", "/", "=", ":", ")", "&gt;"]
        .into_iter()
        .fold(escaped(text), |text, end| text.replace(end, &format!("{end}<wbr>")))
}

fn lines(text: &str) -> String {
    escaped(text).replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::report::chart::example as charts;
    use crate::report::gathered::Gathered;
    use crate::results::{Report, example, sweep};

    fn of_scenarios(scenarios: Vec<Report>) -> Page {
        Page::of(&Gathered { scenarios, ..Gathered::default() })
    }

    #[test]
    fn a_hostile_sweep_and_its_comparison_stay_text() {
        let text = html(&Page::of(&Gathered {
            sweeps: vec![sweep::example::nasty()],
            comparisons: vec![compare::example::nasty()],
            ..Gathered::default()
        }));
        assert_eq!(text.matches("<script").count(), 1, "only the page's own");
        assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(text.contains("use</th>") && text.contains("]]&gt;") && !text.contains("]]>"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn the_page_loads_nothing() {
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
        page.sections[0].blocks.push(Block::Chart(charts::nasty()));
        page.title = charts::nasty().title;
        let text = html(&page);
        assert_eq!(text.matches("<script").count(), 1, "only the page's own");
        assert_eq!(text.matches("</script").count(), 1);
        assert!(!text.contains("<img") && !text.contains("onerror=alert(1)>"));
        assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn every_color_of_a_chart_is_a_css_variable() {
        let text = html(&of_scenarios(vec![example::proven()]));
        for (at, _) in text.match_indices("var(--") {
            let name = text[at + 4..].split(')').next().unwrap();
            assert!(text.contains(&format!("{name}: #")), "{name} has no color");
        }
    }
}
