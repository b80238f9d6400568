"""What a llama-server costs and how fast it is: its own figures, its processes, the GPU's memory.

A run and its client come in, figures with plain names go out.
"""
