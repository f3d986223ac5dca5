//! Any bytes as a Terraform file beside one that calls it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let caller = b"module \"m\" {\n  source = \"../m\"\n  tag = \"1.2.3\"\n}\n";
    terraform_fuzz::check(&[("stacks/m/main.tf", bytes), ("stacks/x/main.tf", caller)]);
});
