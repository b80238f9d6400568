"""A stand-in for engines that speak OpenAI's API and nothing of llama-server's.

It behaves as vLLM, as Ollama or as nothing in particular, and has faults on demand. It counts a
token for each four bytes, and each message has four more.
"""
