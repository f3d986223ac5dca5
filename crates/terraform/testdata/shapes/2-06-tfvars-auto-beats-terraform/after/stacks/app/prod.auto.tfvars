/* image_tag = "1.2.0" */
image_tag = "1.3.0"
