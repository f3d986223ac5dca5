output "web" {
  value = "1.2.0"
}

output "app" {
  value = "1.3.0"
}
