variable "versions" {
  type = map(string)
}
