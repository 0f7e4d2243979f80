"""The command `vecrecall`."""
