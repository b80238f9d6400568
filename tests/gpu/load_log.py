"""What llama-server's log says of layers and buffers (with -lv 4): llama-model.cpp and others."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.gpu.card import MIB

_LAYERS = re.compile(r"offloaded (?P<on_gpu>\d+)/(?P<all>\d+) layers to GPU")
_BUFFER = re.compile(r"(?P<where>\S+) (?P<what>\w+) buffer size = +(?P<mib>[\d.]+) MiB")


@dataclass
class LoadLog:
    """Layers on the GPU, and the buffers by where they are and what they are for, in bytes."""

    layers_on_gpu: int | None = None
    layers: int | None = None
    buffers: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[str]) -> "LoadLog":
        """Read a log."""
        log = cls()
        for line in lines:
            if found := _LAYERS.search(line):
                log.layers_on_gpu, log.layers = int(found["on_gpu"]), int(found["all"])
            if found := _BUFFER.search(line):
                key = found["where"], found["what"]
                log.buffers[key] = log.buffers.get(key, 0) + float(found["mib"]) * MIB
        return log

    @property
    def on_gpu(self) -> int:
        """Bytes of all buffers on GPUs."""
        return int(sum(size for (where, _), size in self.buffers.items() if _is_gpu(where)))

    @property
    def everywhere(self) -> int:
        """Bytes of all buffers."""
        return int(sum(self.buffers.values()))

    def __str__(self) -> str:
        """Name the buffers, in MiB."""
        sizes = (f"{a} {b} {size / MIB:.0f}" for (a, b), size in self.buffers.items() if size)
        return ", ".join(sizes)


def _is_gpu(where: str) -> bool:
    return bool(re.fullmatch(r"(?:CUDA|Vulkan|ROCm)\d+", where))
