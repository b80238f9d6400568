"""What a caller's json_schema means: it comes in as it was passed, and goes out as a JSON schema.

Pure functions on JSON data. The room knows no llama-server, no process and no reply.
"""
