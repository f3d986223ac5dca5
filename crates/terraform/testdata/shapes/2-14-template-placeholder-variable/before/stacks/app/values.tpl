image:
  repository: acme/app
  tag: "${image_tag}"
host: "app.${domain}"
