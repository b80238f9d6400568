"""A conversation at a terminal, or one answer for a pipe.

What a person types comes in; replies go out as they are written. The rooms run on an event loop in
a thread of their own (loop_thread.py), so that the main thread can read lines and get Ctrl-C.
Sessions are those of the assistants.
"""
