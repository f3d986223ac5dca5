image:
  repository: acme/app
  tag: "1.2.0"
