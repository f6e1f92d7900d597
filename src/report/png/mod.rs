//! Renders a chart as PNG, without a browser.

#[cfg(feature = "png")]
mod letters;
#[cfg(feature = "png")]
mod painter;

use crate::report::chart::Chart;
use crate::report::chart::palette::Palette;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PngError {
    #[cfg(not(feature = "png"))]
    #[error(
        "this tollgate was built without the `png` feature: build it with `--features png`, or use --format svg, which \
         browsers, GitLab, and GitHub also display"
    )]
    NotBuilt,
    #[error("the chart would be {width} × {height} pixels, more than PNG viewers can show: use --format svg")]
    TooLarge { width: u32, height: u32 },
}

/// The bytes of a PNG file that looks like the chart's SVG, with two pixels per point.
#[cfg(feature = "png")]
pub(crate) fn png(chart: &Chart, palette: &Palette) -> Result<Vec<u8>, PngError> {
    use crate::report::picture::{WIDE, picture};

    painter::painted(&picture(chart, WIDE), palette)
}

#[cfg(not(feature = "png"))]
pub(crate) fn png(_: &Chart, _: &Palette) -> Result<Vec<u8>, PngError> {
    Err(PngError::NotBuilt)
}

#[cfg(all(test, not(feature = "png")))]
mod tests {
    use super::*;
    use crate::report::chart::example;
    use crate::report::chart::palette::LIGHT;

    #[test]
    fn without_the_feature_the_error_says_how_to_get_it() {
        let error = png(&example::curves(), &LIGHT).unwrap_err().to_string();
        assert!(error.contains("--features png") && error.contains("--format svg"), "{error}");
    }
}
