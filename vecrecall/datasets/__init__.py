"""Sets of vectors to measure on: a registry of public ones, and makers of synthetic ones."""
