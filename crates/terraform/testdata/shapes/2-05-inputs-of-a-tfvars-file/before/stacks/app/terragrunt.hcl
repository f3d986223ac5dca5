locals {
  common = jsondecode(read_tfvars_file(find_in_parent_folders("common.tfvars")))
}

inputs = local.common
