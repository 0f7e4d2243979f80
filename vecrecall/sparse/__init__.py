"""The inverted file over sparse vectors."""
