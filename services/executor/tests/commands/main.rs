//! The executor's commands, on ports that do as they are told.

mod cancels;
mod common;
mod giving_up;
mod second_thoughts;
mod superseding;
mod unwanted_dumps;
