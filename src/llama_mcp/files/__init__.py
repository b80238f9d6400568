"""What a caller names by path."""
