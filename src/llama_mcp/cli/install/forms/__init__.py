"""The forms of configuration files: JSON, JSON with comments, TOML, YAML.

The text of a file comes in, edits of it go out: where something is put in, taken out or replaced.
What an edit does not name stays as it is, byte for byte. Each form finds positions in its own way,
and `editing.py` proves every edit by what the text means before and after. No file, no client.
"""
