//! What is shipped in `deploy/`, run as it is.

mod dashboards;
mod deployed;
mod facts;
mod pages;
mod permissions;
mod pod;
mod rendered;
mod run;
