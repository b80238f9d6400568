"""The engine that pip can bring: llama-server's command line on xllamacpp, and the starter model.

A program of its own; knows nothing of the rest of the house.
"""
