mod builders;
mod claims;
mod explored;
mod properties;
mod table;
mod wishes;
