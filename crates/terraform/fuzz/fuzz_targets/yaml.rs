//! Any bytes as a values file, as it is and as a template.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let release = b"locals {\n  tag = \"1.2.3\"\n}\nresource \"helm_release\" \"x\" {\n  chart = \"x\"\n  values = [file(\"${path.module}/values.yaml\"), templatefile(\"${path.module}/more.yaml\", { tag = local.tag })]\n}\n";
    let files: [(&str, &[u8]); 3] = [
        ("stacks/x/main.tf", release),
        ("stacks/x/values.yaml", bytes),
        ("stacks/x/more.yaml", bytes),
    ];
    terraform_fuzz::check(&files);
});
