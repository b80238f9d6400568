"""RPC workers as on machines of their own: each in a network namespace, with a network between.

A program, not a part of the suite: making namespaces takes root. It starts two real
ggml-rpc-server and a real llama-mcp with a real llama-server, and says what each fault looks like.
"""
