"""What a file is, and what a model is for: by its header, and by names where that is silent."""

import re

from llama_mcp.models.facts import Kind, Role
from llama_mcp.models.gguf.described import Described

_ROLES: dict[str, Role] = {"mmproj": "projector", "adapter": "adapter", "imatrix": "imatrix"}
_DRAFTS = frozenset({"eagle3", "dflash", "gemma4-assistant"})
_DRAFT_NAME = re.compile(r"(?:mtp|eagle3|dflash|dspark)-", re.IGNORECASE)
_IMATRIX_NAME = re.compile(r"imatrix.*|.*[-_.]imatrix(?:\.gguf)?", re.IGNORECASE)
# They make vectors only (src/models/*.cpp: those without a memory and without a head).
_EMBEDDING = frozenset(
    {
        *("bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "modern-bert"),
        *("neo-bert", "eurobert", "gemma-embedding", "llama-embed", "t5encoder"),
    }
)
_POOLING_RANK = 4
_NAME_KEYS = ("general.name", "general.basename", "general.finetune")
_RERANK = re.compile(r"(?<![a-z])rerank(?:er|ing)?(?![a-z])", re.IGNORECASE)
_EMBED = re.compile(r"(?<![a-z])embed(?:ding|dings)?(?![a-z])", re.IGNORECASE)
_CHAT = re.compile(r"(?<![a-z])(?:instruct|chat)(?![a-z])|[-_ ]it(?![a-z])", re.IGNORECASE)
_TOOLS = re.compile(r"\btools\b")
_TEMPLATE = "tokenizer.chat_template"


def role_of(described: Described, file_name: str) -> Role:
    """Return what a file is."""
    kind = described.text("general.type") or ""
    architecture = described.architecture
    if kind in _ROLES:
        return _ROLES[kind]
    if architecture == "clip":
        return "projector"
    if architecture in _DRAFTS or _guesses_only(described) or _DRAFT_NAME.match(file_name):
        return "draft"
    if described.text("adapter.type") or architecture == "controlvector":
        return "adapter"
    if not architecture and _IMATRIX_NAME.fullmatch(file_name):
        return "imatrix"
    return "model"


def _guesses_only(described: Described) -> bool:
    """Tell whether a file has the layers that guess further tokens (MTP), and not the model's."""
    names = described.header.tensors
    has_trunk = any(name.startswith("blk.0.") for name in names)
    return not has_trunk and any(".nextn." in name for name in names)


def kind_of(described: Described, file_name: str) -> Kind:
    """Return what a model is for."""
    pooling = described.number(".pooling_type")
    if pooling == _POOLING_RANK or _scores(described):
        return "rerank"
    if pooling:
        return "embedding"
    said = " ".join(described.text(key) or "" for key in _NAME_KEYS)
    if pooling is None and (kind := _without_words(said)):
        return kind
    if described.architecture in _EMBEDDING:
        return "embedding"
    if templates(described):
        return "chat"
    return _without_words(file_name) or ("chat" if _CHAT.search(f"{said} {file_name}") else "base")


def _scores(described: Described) -> bool:
    """Tell whether a model ends in scores and not in words."""
    has_labels = described.length(".classifier.output_labels") > 0
    return has_labels or "cls.output.weight" in described.header.tensors


def _without_words(name: str) -> Kind | None:
    """Return what a model with such a name is for, if that is anything but words."""
    if _RERANK.search(name):
        return "rerank"
    return "embedding" if _EMBED.search(name) else None


def templates(described: Described) -> list[str]:
    """Return the chat templates that a model has."""
    keys = [_TEMPLATE, *(f"{_TEMPLATE}.{name}" for name in described.texts(f"{_TEMPLATE}s"))]
    return [text for key in keys if (text := described.text(key))]


def knows_tools(described: Described) -> bool:
    """Tell whether a template speaks of tools."""
    return any(_TOOLS.search(template) for template in templates(described))
