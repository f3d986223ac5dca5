variable "namespace" {}
variable "tag" {
  default = "1.0.0" # dead: every caller passes one
}
