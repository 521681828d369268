//! What is measured, one file for each.

pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod queries;
pub(crate) mod rows;
pub(crate) mod start;
pub(crate) mod storm;
pub(crate) mod upload;
