"""llama.cpp's own cache, as it was until March 2026 and is today for `-mu` and `-dr`: flat.

Files are called `user_repo_file.gguf` (common/common.cpp, fs_get_cache_directory).
"""

from collections.abc import Iterator
from pathlib import Path

from llama_mcp.models.places.folders import gguf_files, plain_name
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, below


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give what lies in the folder itself."""
    for folder in cache_folders(surroundings):
        for path in gguf_files(folder, depth=0):
            yield Found(path, plain_name(Path(path.name)), "llama.cpp", folder)


def cache_folders(surroundings: Surroundings) -> list[Path]:
    """Return the folder that llama.cpp takes on the platform."""
    if named := surroundings.variable("LLAMA_CACHE"):
        return [named]
    if surroundings.platform == "darwin":
        return below(surroundings.home, "Library", "Caches", "llama.cpp")
    if surroundings.platform == "win32":
        return below(surroundings.local(), "llama.cpp")
    return below(surroundings.cache(), "llama.cpp")
