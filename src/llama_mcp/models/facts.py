"""What the header of one GGUF file says of a model, as far as anybody here asks."""

from dataclasses import dataclass, field
from typing import Literal

# What a file is; all but a model are parts of one, or made for one.
Role = Literal["model", "projector", "adapter", "imatrix", "draft"]
# What a model is for. A base model completes text and was not taught to converse.
Kind = Literal["chat", "base", "embedding", "rerank"]


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What decides how much a context takes; one entry a layer where layers differ.

    Attributes:
        kv_heads: Of each layer; 0 where it keeps no key and no value.
        key_length: Numbers in a key of one head.
        value_length: Numbers in a value of one head; 0 where only keys are kept (MLA).
        sliding_window: Tokens that a layer with a window looks back; 0 without.
        has_window: Of each layer, whether it looks back no farther than the window.
        window_key_length: Numbers in a key of one head of a layer with a window; 0 where they are
            as many as in the others.
        window_value_length: The same of a value.
        recurrent_bytes: What layers without keys keep for each conversation, all together.
    """

    kv_heads: tuple[int, ...] = ()
    key_length: int = 0
    value_length: int = 0
    sliding_window: int = 0
    has_window: tuple[bool, ...] = ()
    window_key_length: int = 0
    window_value_length: int = 0
    recurrent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a header says.

    Attributes:
        role: Whether the file is a model, or what else.
        kind: What a model is for; without meaning for other roles.
        architecture: llama.cpp's name of it, such as `llama`.
        name: What its author calls it.
        quant: How its weights are quantized, such as `Q4_K_M`; of the name where that says more.
        parameters: How many weights the tensors of this file have.
        context_length: Tokens that it was trained for.
        embedding_length: The width of the model; of a projector, of the model it is made for.
        feed_forward_length: The widest of all layers.
        head_count: The most of all layers.
        vocabulary_size: Tokens that it knows; 0 where it does not say.
        header_bytes: What the file has before its weights.
        shape: What decides how much a context takes.
        vision: Whether a projector has an encoder of pictures.
        audio: Whether a projector has one of sound.
        has_projector_inside: Whether tensors of a projector are among those of a model, as in
            Ollama's own conversions, which llama.cpp cannot load.
        has_two_ropes: Whether it tells places apart in another way where the window is longer than
            it was first trained for (LongRoPE, as Phi-3), so that the window changes what it reads;
            None where it was read by a version that did not look.
        knows_tools: Whether its chat template speaks of tools.
        sampling: Its author's defaults, by llama.cpp's names, such as `temp`.
        shards: How many files it is in.
    """

    role: Role
    kind: Kind
    architecture: str
    name: str | None = None
    quant: str | None = None
    parameters: int = 0
    context_length: int | None = None
    embedding_length: int = 0
    feed_forward_length: int = 0
    head_count: int = 0
    vocabulary_size: int = 0
    header_bytes: int = 0
    shape: CacheShape = field(default_factory=CacheShape)
    vision: bool = False
    audio: bool = False
    has_projector_inside: bool = False
    has_two_ropes: bool | None = None
    knows_tools: bool = False
    sampling: dict[str, float] = field(default_factory=dict)
    shards: int = 1
