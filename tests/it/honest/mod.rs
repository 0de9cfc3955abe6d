//! The honest table: work that is done, in small projects of each ecosystem, made and judged with its own tools, through
//! the whole service. Every row is archived.

mod compiled;
mod history;
mod node;
mod python;
mod scripts;
