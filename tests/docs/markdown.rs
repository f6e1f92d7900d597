//! A minimal Markdown parser for checking links: links, headings, and code.

/// Where a link, an image, or an HTML attribute points, and on which line it ends.
#[derive(Debug, PartialEq)]
pub struct Link {
    pub line: usize,
    pub target: String,
}

pub fn links(text: &str) -> Vec<Link> {
    let text = without_code(text);
    let mut found = Vec::new();
    for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"'), ("srcset=\"", '"')] {
        for (at, _) in text.match_indices(opening) {
            let rest = &text[at + opening.len()..];
            let Some(end) = rest.find(closing) else { continue };
            // A title may follow the target.
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push(Link { line: text[..at].matches('\n').count() + 1, target: target.to_owned() });
        }
    }
    found.sort_by_key(|link| link.line);
    found
}

/// The anchors that GitHub gives a page: its headings as slugs, numbered if they repeat.
pub fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for heading in without_fences(text).lines().filter_map(heading) {
        let slug = slug(heading);
        let repeated = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(repeated).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level).then_some(text)?.strip_prefix(' ')
}

fn slug(heading: &str) -> String {
    let mut text = heading.trim().to_owned();
    // Only the text of a link is part of the heading.
    while let Some(at) = text.find("](") {
        let Some(end) = text[at..].find(')') else { break };
        text.replace_range(at..=at + end, "");
    }
    let kept = text.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// With empty lines instead of fenced blocks, so that lines keep their numbers.
fn without_fences(text: &str) -> String {
    let mut fence: Option<String> = None;
    let mut kept = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let marks: String =
            trimmed.chars().take_while(|c| trimmed.starts_with(*c) && "`~".contains(*c)).collect();
        match &fence {
            Some(opening) if marks.starts_with(opening.as_str()) => fence = None,
            Some(_) => {}
            None if marks.len() >= 3 => fence = Some(marks),
            None => kept += line,
        }
        kept.push('\n');
    }
    kept
}

/// The inline code of a page.
pub fn code_spans(text: &str) -> Vec<String> {
    split_code(&without_fences(text)).1
}

/// Without fenced blocks and code spans; lines keep their numbers.
fn without_code(text: &str) -> String {
    split_code(&without_fences(text)).0
}

/// The text without its code spans, and the code spans.
fn split_code(text: &str) -> (String, Vec<String>) {
    let mut kept = String::new();
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        kept += &rest[..at];
        let ticks: String = rest[at..].chars().take_while(|c| *c == '`').collect();
        let inside = &rest[at + ticks.len()..];
        let (code, behind) = inside.split_once(&ticks).unwrap_or(("", inside));
        kept.extend(code.chars().filter(|c| *c == '\n'));
        spans.push(code.to_owned());
        rest = behind;
    }
    (kept + rest, spans)
}

#[test]
fn links_images_and_attributes_are_found() {
    let text = "See [a](a.md#x \"title\") and\n![b](b.png) and\n<img src=\"c.svg\">";
    let targets = links(text).into_iter().map(|link| (link.line, link.target)).collect::<Vec<_>>();
    assert_eq!(targets, [(1, "a.md#x".to_owned()), (2, "b.png".to_owned()), (3, "c.svg".to_owned())]);
}

#[test]
fn code_has_no_links_and_no_headings() {
    let text = "`[a](a.md)` ``[`b`](b.md)``\n```sh\n# not a heading\n[c](c.md)\n```\n# [d](d.md)";
    assert_eq!(links(text), [Link { line: 6, target: "d.md".to_owned() }]);
    assert_eq!(anchors(text), ["d"]);
    assert_eq!(code_spans(text), ["[a](a.md)", "[`b`](b.md)"]);
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# The `rate` key: what it's for\n## HTTP/2\n## HTTP/2\n####### no\n#no\n### a_b-c — d\n";
    assert_eq!(anchors(text), ["the-rate-key-what-its-for", "http2", "http2-1", "a_b-c--d"]);
}
