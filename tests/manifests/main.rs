//! What is shipped in `deploy/`, run as it is.

mod dashboards;
mod pages;
mod permissions;
mod pod;
mod rendered;
mod run;
