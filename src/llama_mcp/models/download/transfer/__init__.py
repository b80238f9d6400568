"""From the hub into the cache: what the downloading program does.

A request comes in, files in the shared cache and how far they are go out. It knows no caller, and
nothing of how the program is started.
"""
