"""Prompt caches on disk: which there are, whether one is whole and ours, and going on from it.

The keeper writes them when it stops a llama-server (keeper/saving_slots.py). What comes in is a
launch and the tokens of a prompt, what goes out a llama-server that has them in a slot. It knows no
session but by its id, and neither a run nor its processes.
"""
