"""llama-mcp on Windows, shown with the real Windows Python under Wine: `sh scripts/windows`.

`python -m tests.windows FOLDER` is run by that script, which has prepared Wine in FOLDER. A client on
this side speaks raw JSON-RPC through the pipes of a Windows llama-mcp; what it starts is looked at and
ended from both sides. One line is printed for each thing shown; the exit code is 1 when one failed.
Not collected by pytest.
"""
