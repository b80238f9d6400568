"""llama-mcp on Windows, shown with the real Windows Python under Wine: `sh scripts/windows`.

The script prepares Wine in FOLDER and runs `python -m tests.windows FOLDER`. A client on this side
speaks raw JSON-RPC through the pipes of a Windows llama-mcp. One line is printed for each thing
shown; the exit code is 1 when one failed.
"""
