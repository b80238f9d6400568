"""What a path or a pattern means: a caller's text comes in, real files inside the border go out.

Links are resolved before anything is opened, and opening follows none. Reads no file.
"""
