mod builders;
mod claims;
mod explored;
mod plans;
mod properties;
mod table;
mod wishes;
