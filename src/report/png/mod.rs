//! A chart as PNG, painted without a browser.

#[cfg(feature = "png")]
mod letters;
#[cfg(feature = "png")]
mod painter;

use crate::report::chart::Chart;
use crate::report::chart::palette::Palette;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PngError {
    #[error(
        "this tollgate was built without its feature `png`: build it with `--features png`, or take --format svg, which \
         browsers, GitLab and GitHub show as well"
    )]
    NotBuilt,
    #[error(
        "the chart would have {width} × {height} points, more than viewers of PNG show: take --format svg"
    )]
    TooLarge { width: u32, height: u32 },
}

/// The bytes of a file. It looks as its SVG does, with twice as many points each way.
#[cfg(feature = "png")]
pub fn png(chart: &Chart, palette: &Palette) -> Result<Vec<u8>, PngError> {
    use crate::report::picture::{WIDE, picture};

    painter::painted(&picture(chart, WIDE), palette)
}

#[cfg(not(feature = "png"))]
pub fn png(_: &Chart, _: &Palette) -> Result<Vec<u8>, PngError> {
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
