"""Folders as programs fill them with models."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.library import Library
from llama_mcp.models.places.surroundings import Surroundings
from llama_mcp.setting_values import MODEL_PLACES, ModelPlace
from llama_mcp.settings import LlamaServerSettings

COMMIT = "a" * 40
OLDER_COMMIT = "b" * 40


def surroundings_in(
    folder: Path, platform: str = "linux", environment: Mapping[str, str] | None = None
) -> Surroundings:
    """Return the surroundings of a user whose home is `home` in a folder."""
    return Surroundings(platform, environment or {}, folder / "home", folder / "shared")


def library_in(
    folder: Path,
    *folders: Path,
    places: tuple[ModelPlace, ...] = MODEL_PLACES,
    allowed: tuple[Path, ...] = (),
    default: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Library:
    """Return the library of that user, with the operator's folders; nothing is kept of headers."""
    settings = LlamaServerSettings(
        model_dirs=folders, model_places=places, allowed_paths=allowed, model_path=default
    )
    return Library(settings, KnownFacts(None), surroundings_in(folder, environment=environment))


def put_into_hub_cache(
    file: Path, cache: Path, repository: str, place: str = "", commit: str = COMMIT
) -> Path:
    """Move a file into a snapshot of the Hugging Face cache, and return the link to its blob."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
    link = folder / "snapshots" / commit / (place or file.name)
    for parent in (blob.parent, link.parent, folder / "refs"):
        parent.mkdir(parents=True, exist_ok=True)
    file.replace(blob)
    link.symlink_to(blob)
    if commit == COMMIT:
        (folder / "refs" / "main").write_text(commit)
    return link


def put_into_ollama(store: Path, name: str, tag: str = "latest", **layers: Path | bytes) -> Path:
    """Move files into Ollama's folder as layers of a model, and return the model's blob.

    Args:
        store: Ollama's folder of models.
        name: Host, namespace and model, with `/`.
        tag: What the model's manifest is called.
        layers: A file, or what is in it, by the kind of layer.
    """
    blobs, manifest = store / "blobs", store / "manifests" / name / tag
    blobs.mkdir(parents=True, exist_ok=True)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, layer in layers.items():
        content = layer if isinstance(layer, bytes) else layer.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / f"sha256-{digest}").write_bytes(content)
        media_type = f"application/vnd.ollama.image.{kind}"
        written.append(
            {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
        )
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": {}, "layers": written}))
    model = next(
        (layer["digest"] for layer in written if str(layer["mediaType"]).endswith("model")), ""
    )
    return blobs / str(model).replace(":", "-")
