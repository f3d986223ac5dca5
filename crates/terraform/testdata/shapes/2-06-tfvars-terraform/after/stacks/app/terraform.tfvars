domain    = "example.org" # Hauptdomäne
image_tag = "1.3.0"
