locals {
  env = read_terragrunt_config(find_in_parent_folders("env.hcl"))
}

inputs = {
  image_tag = local.env.locals.image_tag
}
