//! Checks the relative links of a page.

use std::path::Path;

use crate::markdown::{Link, anchors, links};
use crate::{read, shown};

/// Every relative link of the page that leads nowhere, as `file:line: reason`.
pub fn broken(page: &Path, text: &str) -> Vec<String> {
    let broken = links(text).into_iter().filter_map(|link| {
        let reason = problem(page, text, &link)?;
        Some(format!("{}:{}: {reason}", shown(page), link.line))
    });
    broken.collect()
}

fn problem(page: &Path, text: &str, link: &Link) -> Option<String> {
    let target = link.target.as_str();
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() {
        page.to_owned()
    } else {
        page.parent().expect("a page has a folder").join(path)
    };
    if !file.exists() {
        return Some(format!("`{target}`: there is no such file"));
    }
    if anchor.is_empty() || file.extension().is_none_or(|end| end != "md") {
        return None;
    }
    let linked = if path.is_empty() { text.to_owned() } else { read(&file) };
    let known = anchors(&linked).iter().any(|known| known == anchor);
    (!known).then(|| format!("`{target}`: the page has no such heading"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    fn broken_in(text: &str) -> Vec<String> {
        broken(&root().join("CHANGELOG.md"), text)
    }

    #[test]
    fn a_link_to_a_missing_file_is_broken() {
        let broken = broken_in("Read\n[this](no-such-page.md).");
        assert_eq!(broken, ["CHANGELOG.md:2: `no-such-page.md`: there is no such file"]);
    }

    #[test]
    fn an_anchor_without_its_heading_is_broken() {
        let own = broken_in("# Here\n[there](#there)");
        assert_eq!(own, ["CHANGELOG.md:2: `#there`: the page has no such heading"]);
        let other = broken_in("[map](ARCHITECTURE.md#no-such-heading)");
        assert_eq!(
            other,
            ["CHANGELOG.md:1: `ARCHITECTURE.md#no-such-heading`: the page has no such heading"]
        );
    }

    #[test]
    fn good_and_foreign_links_are_not_broken() {
        let text =
            "# Here\n[here](#here) [license](LICENSE-MIT) [folder](schemas) [web](https://example.com/none)";
        assert_eq!(broken_in(text), Vec::<String>::new());
    }
}
