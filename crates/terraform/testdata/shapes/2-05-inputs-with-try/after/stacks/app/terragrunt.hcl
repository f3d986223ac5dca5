locals {
  env = read_terragrunt_config(find_in_parent_folders("env.hcl"))
}

inputs = {
  image_tag = try(local.env.locals.image_tag, "1.3.0")
}
