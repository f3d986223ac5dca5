locals {
  env_vars = read_terragrunt_config(find_in_parent_folders("env.hcl"))
}

inputs = merge(local.env_vars.locals, {
  replicas = 1
})
