"""Ollama: `manifests/HOST/NAMESPACE/MODEL/TAG` says which of `blobs/` a model consists of.

A manifest is JSON with `layers`, each with `mediaType` and `digest`; the digest `sha256:HEX` is the
blob `sha256-HEX`. llama.cpp loads a blob without `.gguf` as any other file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_mcp.models.places.folders import entries, is_file, read_json, subfolders
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, below

_HOME = ".ollama"
# Its own library: names from there are told without where they are from.
_OWN = ("registry.ollama.ai", "library")
# The tag that a name without one means.
_IMPLIED = ":latest"
_LAYER = "application/vnd.ollama.image."
# A digest is a file's name here: nothing else may stand in it.
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MAX_MANIFESTS = 5000


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give the models of the user's Ollama, and of one that runs as a service."""
    for store in stores(surroundings):
        yield from models_in(store)


def stores(surroundings: Surroundings) -> list[Path]:
    """Return the folders of models, as Ollama looks for them on the platform."""
    own = surroundings.variable("OLLAMA_MODELS")
    stores = [own] if own else below(surroundings.home, _HOME, "models")
    if surroundings.platform not in ("darwin", "win32"):
        stores.append(surroundings.shared / "ollama" / _HOME / "models")
    return stores


def is_store(folder: Path) -> bool:
    """Tell whether a folder is laid out as Ollama's folder of models."""
    return {"manifests", "blobs"} <= {path.name for path in subfolders(folder)}


def models_in(store: Path) -> Iterator[Found]:
    """Give the models of one folder whose blobs are there."""
    for manifest in _manifests(store / "manifests"):
        layers = _layers(read_json(manifest), store / "blobs")
        if model := layers.get("model"):
            name = _name(manifest.relative_to(store / "manifests").parts)
            projector = layers.get("projector")
            if projector is not None:
                yield Found(projector, name, "ollama", manifest, is_own_name=True)
            problem = _adapter_problem(model, layers.get("adapter"))
            for called in dict.fromkeys((name, name.removesuffix(_IMPLIED))):
                yield Found(model, called, "ollama", manifest, True, projector, problem)


def _manifests(folder: Path) -> Iterator[Path]:
    left = _MAX_MANIFESTS
    for host in subfolders(folder):
        for namespace in subfolders(host):
            for model in subfolders(namespace):
                tags = [model / entry.name for entry in entries(model) if is_file(entry)][:left]
                left -= len(tags)
                yield from tags


def _layers(manifest: dict[str, Any], blobs: Path) -> dict[str, Path]:
    """Return the blob of each kind of layer; of several of one kind the first."""
    layers = manifest.get("layers")
    found: dict[str, Path] = {}
    for layer in layers if isinstance(layers, list) else ():
        kind, blob = _layer(layer, blobs)
        if blob is not None:
            found.setdefault(kind, blob)
    return found


def _layer(layer: object, blobs: Path) -> tuple[str, Path | None]:
    if not isinstance(layer, dict):
        return "", None
    kind, digest = layer.get("mediaType"), layer.get("digest")
    if not isinstance(kind, str) or not isinstance(digest, str):
        return "", None
    match = _DIGEST.fullmatch(digest)
    return kind.removeprefix(_LAYER), match and blobs / f"sha256-{match[1]}"


def _name(parts: tuple[str, ...]) -> str:
    *where, model, tag = parts
    host, namespace = where
    if (host, namespace) == _OWN:
        return f"{model}:{tag}"
    place = f"{namespace}/{model}" if host == _OWN[0] else f"{host}/{namespace}/{model}"
    return f"{place}:{tag}"


def _adapter_problem(model: Path, adapter: Path | None) -> str | None:
    if adapter is None:
        return None
    return (
        f"Ollama runs it with an adapter: pass {model} as model_path and "
        f'["--lora", "{adapter}"] as extra_args'
    )
