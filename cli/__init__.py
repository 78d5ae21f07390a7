"""The `energy` command."""
