"""The clients, one in a file: what of it differs from others (`cli/install/known/client.py`)."""
