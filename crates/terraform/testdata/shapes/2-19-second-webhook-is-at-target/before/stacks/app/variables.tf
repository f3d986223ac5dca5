variable "release" {
  default = "v2.7.5"
}
