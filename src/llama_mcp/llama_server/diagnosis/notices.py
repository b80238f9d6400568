"""Lines of a llama-server that runs of which its user should be told."""

import re
from typing import NamedTuple


class Notice(NamedTuple):
    """A line of a server that runs, and what the user should be told."""

    pattern: re.Pattern[str]
    text: str
    asked_for_gpu: bool = False


# Newer builds are asked for their devices before the start; older ones say it in their log.
NO_GPU = (
    "n_gpu_layers={n_gpu_layers} has no effect: this llama-server finds no GPU that it can use, so "
    "it runs on the CPU. If the machine has one, a llama.cpp build for it (llama_cpp_path) uses it."
)

WARNINGS: tuple[Notice, ...] = (
    Notice(
        re.compile(r"no usable GPU found|offloaded 0/\d+ layers to GPU"),
        NO_GPU,
        asked_for_gpu=True,
    ),
    Notice(
        re.compile(r"failed to initialize (?:CUDA|ROCm|HIP): (?P<text>.+)"),
        "The GPU cannot be used ({text}); llama-server runs on the CPU.",
    ),
    Notice(
        re.compile(r"^Failed to connect to (?P<endpoint>\S+)"),
        "The RPC server {endpoint} was not reached; llama-server runs without it.",
    ),
    Notice(
        re.compile(
            r"slot context \((?P<asked>\d+)\) exceeds .* model \((?P<trained>\d+)\) - capping"
        ),
        "Each conversation gets {trained} tokens and not {asked}: the model was trained for no "
        "more. ctx_size={trained} saves the memory.",
    ),
    # Builds of 2025 did not cap it.
    Notice(
        re.compile(r"n_ctx_per_seq \((?P<asked>\d+)\) > n_ctx_train \((?P<trained>\d+)\)"),
        "The window of {asked} tokens is larger than the {trained} the model was trained for; "
        "replies get worse beyond those. ctx_size={trained} is the most it can use well.",
    ),
    Notice(
        re.compile(r"failed to mlock"),
        "The model could not be locked into memory (ulimit -l is too low); it may be swapped out.",
    ),
    Notice(
        re.compile(r"GENERATION QUALITY WILL BE DEGRADED"),
        "The model file does not say how it splits text into tokens; replies may be poor. A newer "
        "GGUF of this model helps.",
    ),
    Notice(
        re.compile(r"\b(?P<what>\w+) is not supported by this context, it will be disabled"),
        "{what} is not supported for this model and is off.",
    ),
)
