//! What this machine is and allows: its clock, packet stamps, file limit, processor.

pub mod arrival;
pub mod clock;
pub mod machine;
pub mod open_files;
