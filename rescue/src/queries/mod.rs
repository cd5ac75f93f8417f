//! One file per query.

pub mod certified_roots;
pub mod checksums;
pub mod http_request;
pub mod journal;
pub mod list_cases;
pub mod modules;
