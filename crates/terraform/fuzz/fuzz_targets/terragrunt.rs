//! Any bytes as the file of Terragrunt that sets a module's variables.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let main = b"variable \"tag\" {\n  default = \"1.2.3\"\n}\nvariable \"app\" {\n  type = object({ tag = optional(string, \"1.0.0\") })\n}\nresource \"kubernetes_deployment\" \"x\" {\n  spec {\n    template {\n      spec {\n        container {\n          image = \"acme/app:${var.tag}\"\n        }\n        container {\n          image = \"acme/other:${var.app.tag}\"\n        }\n      }\n    }\n  }\n}\n";
    let files: [(&str, &[u8]); 3] = [
        ("stacks/x/main.tf", main),
        ("stacks/x/terragrunt.hcl", bytes),
        ("terragrunt.hcl", bytes),
    ];
    terraform_fuzz::check(&files);
});
