"""The bridge: stdin and stdout of a client, and a llama-mcp that serves HTTP; with Python alone.

Lines come in and go out as JSON-RPC, and travel as POSTs, streams and sessions of Streamable HTTP,
in both eras. A request that cannot be carried out is answered with what happened and what to do,
and the bridge lives on. It runs once for each window of a client, so it imports the standard
library only, and of ours nothing but early/json_text.py; what a tool is it does not know.
"""
