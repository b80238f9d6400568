"""llama-mcp: an MCP server that gives AI assistants a local model.

The house has four rooms. `surface` is the front desk and the only one that speaks MCP; `turns`
holds one conversation turn; `llama_server` looks after one llama-server; `sessions` keeps what was
said. `keeper` and `embedded` are small programs of their own that run beside the server.
"""
