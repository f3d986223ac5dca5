terraform {
  extra_arguments "common" {
    commands           = get_terraform_commands_that_need_vars()
    required_var_files = ["${get_repo_root()}/common.tfvars"]
  }
}

inputs = {
  image_tag = "1.1.0"
}
