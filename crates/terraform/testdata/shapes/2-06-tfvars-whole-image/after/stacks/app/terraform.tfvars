app_image = "docker.io/acme/app:1.3.0"
