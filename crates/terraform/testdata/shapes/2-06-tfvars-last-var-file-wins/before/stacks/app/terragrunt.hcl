terraform {
  extra_arguments "files" {
    commands = get_terraform_commands_that_need_vars()
    required_var_files = [
      find_in_parent_folders("common.tfvars"),
      "${get_terragrunt_dir()}/app.tfvars",
    ]
  }
}
