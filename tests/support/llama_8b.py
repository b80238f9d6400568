"""What the header of Llama 3.1 8B says that decides about memory: 4096 tokens take half a GiB."""

from llama_mcp.models.facts import CacheShape, ModelFacts

LLAMA_8B = ModelFacts(
    role="model",
    kind="chat",
    architecture="llama",
    context_length=131072,
    embedding_length=4096,
    feed_forward_length=14336,
    head_count=32,
    vocabulary_size=128256,
    shape=CacheShape(kv_heads=(8,) * 32, key_length=128, value_length=128),
)
