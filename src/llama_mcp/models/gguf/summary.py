"""The facts of a model, or of a file that is part of one, put together from its header."""

from dataclasses import replace

from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf import kinds
from llama_mcp.models.gguf.described import Described
from llama_mcp.models.gguf.pieces import BrokenHeaderError
from llama_mcp.models.gguf.quants import quant_of
from llama_mcp.models.gguf.shapes import shape_of
from llama_mcp.wording import shortened

# Tensors of an encoder of pictures and of what joins it to a model (tools/mtmd/clip-impl.h).
_PROJECTOR_TENSORS = ("v.", "mm.")
_SOUND_TENSORS = "a."
# Taken by llama.cpp when a window is longer than the original one, instead of the short one
# (llama-model.cpp, get_rope_factors).
_LONG_ROPE = "rope_factors_long"
# No author says more, and a list shows all of them.
_NAME_CHARACTERS = 200


def facts_of(described: Described, file_name: str) -> ModelFacts:
    """Return what a header says of a file.

    Raises:
        BrokenHeaderError: it says what cannot be.
    """
    role = kinds.role_of(described, file_name)
    if role != "imatrix" and not described.architecture:
        raise BrokenHeaderError(_without_architecture(described))
    facts = ModelFacts(
        role=role,
        kind="base",
        architecture=shortened(described.architecture, _NAME_CHARACTERS),
        name=shortened(described.text("general.name") or "", _NAME_CHARACTERS) or None,
        quant=quant_of(file_name, described.number("general.file_type")),
        parameters=described.header.parameters,
        header_bytes=described.header.size_bytes,
    )
    if role == "projector":
        return _of_projector(facts, described)
    return _of_model(facts, described, file_name) if role in ("model", "draft") else facts


def _without_architecture(described: Described) -> str:
    number, count = described.number("split.no"), described.number("split.count")
    if number and count:
        return f"it is part {number + 1} of {count}, and only the first has a header"
    return "it does not say its architecture"


def _of_projector(facts: ModelFacts, described: Described) -> ModelFacts:
    vision, audio = (described.flag(f"clip.has_{kind}_encoder") for kind in ("vision", "audio"))
    width = described.number("clip.vision.projection_dim")
    return replace(
        facts,
        vision=_has_tensors(described, "v.") if vision is None else vision,
        audio=_has_tensors(described, _SOUND_TENSORS) if audio is None else audio,
        embedding_length=width or described.number("clip.audio.projection_dim") or 0,
    )


def _of_model(facts: ModelFacts, described: Described, file_name: str) -> ModelFacts:
    return replace(
        facts,
        kind=kinds.kind_of(described, file_name),
        context_length=described.number(".context_length"),
        embedding_length=described.number(".embedding_length") or 0,
        feed_forward_length=max(described.each_layer(".feed_forward_length") or (0,), default=0),
        head_count=max(described.each_layer(".attention.head_count") or (0,), default=0),
        vocabulary_size=_vocabulary_size(described),
        shape=shape_of(described),
        has_projector_inside=_has_tensors(described, *_PROJECTOR_TENSORS),
        has_two_ropes=any(_LONG_ROPE in name for name in described.header.tensors),
        knows_tools=kinds.knows_tools(described),
        sampling=described.numbers_below("general.sampling."),
    )


def _vocabulary_size(described: Described) -> int:
    tokens = described.length("tokenizer.ggml.tokens") or described.number(".vocab_size")
    embedding = described.header.tensors.get("token_embd.weight", ())
    return tokens or (embedding[1] if len(embedding) > 1 else 0)


def _has_tensors(described: Described, *beginnings: str) -> bool:
    return any(name.startswith(beginnings) for name in described.header.tensors)
