locals {
  versions = read_terragrunt_config("${get_repo_root()}/common/versions.hcl")
}

inputs = local.versions.inputs
