image_tag = "1.3.0"
