//! What is shipped in `deploy/`, run as it is.

mod dashboards;
mod deployed;
mod door;
mod facts;
mod jobs;
mod nkeys;
mod pages;
mod permissions;
mod pod;
mod rbac;
mod rendered;
mod run;
mod samples;
mod secrets;
mod source;
