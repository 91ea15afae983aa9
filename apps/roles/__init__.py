"""What a user may be in this site: the names of roles."""
