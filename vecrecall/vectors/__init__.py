"""Dense vectors at rest: metrics as spaces, rotated codes, kept rows."""
