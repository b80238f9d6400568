"""Engines that somebody else runs, reached by URL: a llama-server, its router, any OpenAI server.

A target (where, which key, which model) comes in; what stands for it in a turn and in a ranking,
and what it tells of itself, goes out. Knows no process, run folder, log, setting or conversation.
"""
