"""The scenarios; each file is one subject."""
