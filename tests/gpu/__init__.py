"""llama-mcp on a real NVIDIA GPU, shown by `sh scripts/gpu LLAMA_CPP`.

LLAMA_CPP is a llama.cpp folder with a CUDA build. A client talks to an installed llama-mcp; what
that tells of layers, memory and failures is held against llama-server's own log and nvidia-smi. One
line is printed for each thing that was expected; the exit code is 1 when one was not seen.
"""
