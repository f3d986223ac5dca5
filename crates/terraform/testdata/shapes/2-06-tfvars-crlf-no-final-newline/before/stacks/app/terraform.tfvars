# größer
image_tag = "1.2.0" # später