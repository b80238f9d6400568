"""The clients, one in a file: what of it differs from the others (`cli/install/known/client.py`)."""
