//! Facts and status as bytes: the protobuf of `proto/bowline/v1` and the way between it and [`job`].
//!
//! **Invariant:** a fact is never guessed. What this build cannot read in full is an error, and a
//! fact that asks for a newer reader is refused before its body is looked at.

mod baseline;
mod body;
mod codec;
mod enums;
mod error;
mod plan;
mod request;
mod skip;

pub use codec::{decode, encode};
pub use error::DecodeError;

/// The generated messages, and the `Status` service's client and server.
///
/// Written by `cargo xtask codegen`; `include!` keeps the formatter off it.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::doc_markdown,
    clippy::large_enum_variant,
    reason = "generated"
)]
pub mod v1 {
    include!("generated/bowline.v1.rs");
}
