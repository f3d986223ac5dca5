include "common" {
  path = "../common.hcl"
}
