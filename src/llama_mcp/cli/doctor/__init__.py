"""What is wrong with this llama-mcp, and what to do: one check a file, each finding one line.

The circumstances come in: environment, settings and a folder for what the rooms would write. Out go
findings. Nothing of the user's is disturbed: no folder is made, no archive migrated, no run
touched; what starts something starts it in a home of its own.
"""
