app_image = "docker.io/acme/app:1.2.0"
