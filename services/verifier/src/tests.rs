//! The verifier's commands against a stub CI, a stub cluster and a stub site.

mod ci;
mod kuma;
mod monitors;
mod rollout;
mod stage;
mod surroundings;
mod window;
