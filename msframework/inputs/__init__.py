"""What arrives with a request, read strictly: escapes, forms, cookies, and encoded bodies."""
