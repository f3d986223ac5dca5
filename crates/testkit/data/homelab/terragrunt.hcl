# Included by every stack.
terraform {
  extra_arguments "config" {
    commands           = ["plan", "apply", "destroy", "import"]
    required_var_files = ["${get_parent_terragrunt_dir()}/config.tfvars"]
  }
}

generate "backend" {
  path      = "backend.tf"
  if_exists = "overwrite"
  contents  = <<EOT
terraform {
  backend "local" {
    path = "${get_parent_terragrunt_dir()}/state/${path_relative_to_include()}.tfstate"
  }
}
EOT
}
