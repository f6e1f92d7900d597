//! Colors: one per target, the same in every chart of a report.

/// A color by its meaning; the theme maps it to an actual color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SeriesColor {
    /// The target with this number in the report.
    Target(usize),
    /// The old side of a comparison.
    Old,
    /// Limits and tolerances.
    Limit,
    /// Remarks that don't belong to a target.
    Remark,
}

/// The colors of a theme, as `#rrggbb`.
///
/// The six target colors come from a search: a contrast of at least 3:1 against the paper (WCAG 2.2, 1.4.11), and as
/// far from each other as possible in OKLab, as seen with normal vision, protanopia, and deuteranopia (matrices of
/// Machado, Oliveira, and Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency").
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    pub paper: &'static str,
    pub ink: &'static str,
    pub faint: &'static str,
    pub grid: &'static str,
    pub old: &'static str,
    pub limit: &'static str,
    pub targets: [&'static str; 6],
}

pub(crate) const LIGHT: Palette = Palette {
    paper: "#ffffff",
    ink: "#1b1f24",
    faint: "#57606a",
    grid: "#e3e6ea",
    old: "#6e7781",
    limit: "#cf222e",
    targets: ["#1795fa", "#812f13", "#0da081", "#7d2067", "#717500", "#654cc5"],
};

pub(crate) const DARK: Palette = Palette {
    paper: "#15181d",
    ink: "#e6e9ed",
    faint: "#9aa4af",
    grid: "#2c323a",
    old: "#8b949e",
    limit: "#ff7b72",
    targets: ["#5ea3fd", "#9c5906", "#53cdab", "#bc668f", "#9ba003", "#754ec7"],
};

/// Distinguishes targets when colors don't: on paper, and beyond the sixth target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Circle,
    Square,
    Diamond,
    Triangle,
    Wedge,
}

impl Palette {
    pub(crate) fn color(&self, color: SeriesColor) -> &'static str {
        match color {
            SeriesColor::Target(number) => self.targets[number % self.targets.len()],
            SeriesColor::Old => self.old,
            SeriesColor::Limit => self.limit,
            SeriesColor::Remark => self.faint,
        }
    }
}

impl SeriesColor {
    /// Five symbols and six colors distinguish thirty targets.
    pub(crate) fn symbol(self) -> Symbol {
        use Symbol::{Circle, Diamond, Square, Triangle, Wedge};
        match self {
            SeriesColor::Target(number) => [Circle, Square, Diamond, Triangle, Wedge][number % 5],
            SeriesColor::Old | SeriesColor::Limit | SeriesColor::Remark => Symbol::Circle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Vector = [f64; 3];

    /// Normal vision, protanopia, and deuteranopia, on linear RGB.
    const SIGHTS: [[Vector; 3]; 3] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ];

    fn linear(color: &str) -> Vector {
        [1, 3, 5].map(|at| {
            let channel = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: &[Vector; 3], vector: Vector) -> Vector {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// WCAG 2.2's contrast ratio.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |color| times(&[[0.2126, 0.7152, 0.0722]; 3], linear(color))[0] + 0.05;
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    /// Ottosson 2020, "A perceptual color space for image processing".
    fn oklab(rgb: Vector) -> Vector {
        let cones = [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ];
        let lab = [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ];
        times(&lab, times(&cones, rgb.map(|channel| channel.clamp(0.0, 1.0))).map(f64::cbrt))
    }

    #[test]
    fn everything_stands_out_from_the_paper() {
        for palette in [LIGHT, DARK] {
            for text in [palette.ink, palette.faint, palette.limit] {
                assert!(contrast(text, palette.paper) >= 4.5, "{text} on {}", palette.paper);
            }
            for color in palette.targets.into_iter().chain([palette.old]) {
                assert!(contrast(color, palette.paper) >= 3.0, "{color} on {}", palette.paper);
            }
        }
    }

    #[test]
    fn target_colors_differ_even_without_red_or_green_vision() {
        for palette in [LIGHT, DARK] {
            for (sight, matrix) in SIGHTS.iter().enumerate() {
                let seen = palette.targets.map(|color| oklab(times(matrix, linear(color))));
                for (index, a) in seen.iter().enumerate() {
                    for b in &seen[index + 1..] {
                        let distance = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        assert!(distance > 0.1, "{distance} between {a:?} and {b:?} with sight {sight}");
                    }
                }
            }
        }
    }

    #[test]
    fn thirty_targets_look_different() {
        let looks = |number| {
            let color = SeriesColor::Target(number);
            (LIGHT.color(color), color.symbol())
        };
        let all: Vec<_> = (0..30).map(looks).collect();
        assert!((1..30).all(|number| !all[..number].contains(&all[number])));
    }
}
