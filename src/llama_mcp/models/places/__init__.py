"""Where programs keep their GGUF files, one small module a program.

The surroundings (platform, environment, home) come in; files, by the names that their program has
for them, go out. Everything is read only, links to folders are never followed, and what is missing,
locked or broken counts as empty. Knows nothing of headers, of rows or of llama-server.
"""
