terraform {
  extra_arguments "common" {
    commands  = ["plan", "apply"]
    arguments = ["-lock-timeout=20m", "-var-file=${get_terragrunt_dir()}/../common.tfvars"]
  }
}
