terraform {
  extra_arguments "versions" {
    commands = get_terraform_commands_that_need_vars()
    env_vars = {
      TF_VAR_image_tag = "1.2.0"
    }
  }
}
