"""Which llama-server serves a turn or a ranking, and what is done so that there is one.

In comes what is wanted: a model by name, or whatever runs; out goes a llama-server that answers or
loads. It starts models, brings back those that crashed or were unloaded, and makes room; it knows
no conversation.
"""
