resource "kubernetes_config_map" "nginx" {
  metadata {
    name = "nginx"
  }
  data = {
    "nginx.conf" = <<-EOT
      proxy_cache_path /var/cache levels=1:2 keys_zone=registry:500m inactive=60d;
      upstream registry:5000 { server registry:5000; }
    EOT
    "zone" = "registry:500m"
  }
}
