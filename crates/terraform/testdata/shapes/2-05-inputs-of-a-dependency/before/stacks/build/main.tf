output "image_tag" {
  value = "1.2.0"
}
