variable "namespace" {}
variable "tag" {
  type     = string
  nullable = false
  default  = "1.3.0"
}
