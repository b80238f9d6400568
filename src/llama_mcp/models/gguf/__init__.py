"""What a GGUF file's header says, read in milliseconds and believed in nothing.

A path comes in; `ModelFacts`, or an error in words, go out. Weights are never read, and nothing of
a file is taken for true before it was measured against the file. Knows nothing of folders, names
of models or llama-server.
"""
