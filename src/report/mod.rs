//! Renderings of what was found out: table, JUnit XML, Markdown, CSV, HTML, SVG, PNG. Each is a pure function from
//! results to text.

pub mod calibration_table;
pub mod chart;
pub mod csv;
pub mod gathered;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod metrics;
pub mod overview;
pub mod page;
mod picture;
pub mod png;
pub mod request_rows;
pub mod svg;
pub mod sweep_table;
pub mod table;
mod window_line;
