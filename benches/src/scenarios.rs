//! The scenarios, one in each module.

pub(crate) mod attacks;
pub(crate) mod backups;
pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod queries;
pub(crate) mod resets;
pub(crate) mod rows;
pub(crate) mod start;
pub(crate) mod storm;
pub(crate) mod upload;
