locals {
  a = {
}
