//! Renders results as tables, JUnit XML, Markdown, CSV, HTML, SVG, and PNG. Each renderer is a pure function.

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
