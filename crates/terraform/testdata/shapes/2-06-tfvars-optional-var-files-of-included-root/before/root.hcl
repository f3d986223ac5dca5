terraform {
  extra_arguments "optional" {
    commands = ["plan", "apply", "destroy"]
    optional_var_files = [
      "${get_terragrunt_dir()}/app.tfvars",
      "${get_terragrunt_dir()}/gone.tfvars",
    ]
  }
}
