//! Archives of stores, as operators use them, in one binary so that they share one PostgreSQL server.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

mod columns;
mod damage;
mod folder;
mod golden;
mod hostile;
mod pairs;
mod support;
