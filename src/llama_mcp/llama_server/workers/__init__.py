"""RPC workers (ggml-rpc-server): which ones a start uses, whether they answer, what they have.

Addresses, as `host:port`, come in; what was seen of each goes out. Nothing here knows a run, starts
a worker, or sends one anything but a sign that is no command.
"""
