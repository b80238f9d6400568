"""Which starts can go on from what another has saved: those that differ in nothing that counts."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.saved_kv.planning import PlannedStart, plan_saving
from llama_mcp.llama_server.saved_kv.records import SavedKv
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf.reading import read_facts
from llama_mcp.models.model import Model
from tests.fake_llama_server.help_texts import help_of
from tests.support.tiny_model import WIDTH, write_tiny_model

Change = Callable[["Start"], None]


def write_adapter(path: Path, *, scale: float = 1.0) -> Path:
    """A LoRA of one matrix."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 1.0)
    for half, shape in {"a": (2, WIDTH), "b": (WIDTH, 2)}.items():
        weights = np.full(shape, scale, np.float32)
        writer.add_tensor(f"blk.0.attn_q.weight.lora_{half}", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Start:
    """A start with a model, an adapter, a template and a program in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = write_tiny_model(folder / "model.gguf", context_length=8192)
        self.adapter = write_adapter(folder / "adapter.gguf")
        self.template = folder / "template.jinja"
        self.template.write_text("{{ messages }}")
        self.program = folder / "llama-server"
        self.program.write_bytes(b"program")
        self.library = folder / "libllama.so.0"
        self.library.write_bytes(b"library")
        self.arguments: tuple[str, ...] = (
            *("--lora-scaled", f"{self.adapter}:0.5"),
            *("--chat-template-file", str(self.template), "--rope-freq-base", "10000"),
        )
        self.config = LaunchConfig(ctx_size=2048, parallel=2)
        self.version = "1"
        self.facts: ModelFacts | None = read_facts(self.model)
        self.environment: dict[str, str] = {"PATH": "/bin"}

    def plan(self, limit_mb: int = 100) -> SavedKv | None:
        flags = parse_help(help_of("2026"))
        engine = Engine("llama-server", str(self.program), (str(self.program),))
        start = PlannedStart(
            config=self.config,
            engine=engine,
            capabilities=Capabilities(self.version, flags),
            model=Model("model", self.model, 0, "path", facts=self.facts),
            arguments=self.arguments,
            environment=self.environment,
        )
        return plan_saving(start, self.folder / "home", limit_mb)

    def key(self) -> str:
        plan = self.plan()
        assert plan is not None
        return Path(plan.folder).name


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


def rewritten(path: Path, write: Callable[[], Any]) -> None:
    """Write a file anew, of the same size and with the same times."""
    before = path.stat()
    write()
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def other_weights(start: Start) -> None:
    rewritten(start.model, lambda: write_tiny_model(start.model, context_length=8192, seed=1))


def other_adapter(start: Start) -> None:
    rewritten(start.adapter, lambda: write_adapter(start.adapter, scale=2.0))


def other_scale(start: Start) -> None:
    start.arguments = tuple(each.replace(":0.5", ":0.6") for each in start.arguments)


def no_adapter(start: Start) -> None:
    start.arguments = start.arguments[2:]


def other_template(start: Start) -> None:
    rewritten(start.template, lambda: start.template.write_text("{{ nothings }}"))


def other_rope_base(start: Start) -> None:
    start.arguments = tuple(each.replace("10000", "20000") for each in start.arguments)


def other_program(start: Start) -> None:
    start.program.write_bytes(b"another program")


def other_library(start: Start) -> None:
    start.library.write_bytes(b"another library")


def other_version(start: Start) -> None:
    start.version = "2"


def other_slots(start: Start) -> None:
    start.config = start.config.model_copy(update={"parallel": 3})


def other_variable(start: Start) -> None:
    start.environment["LLAMA_ARG_ROPE_SCALE"] = "2"


def touched(start: Start) -> None:
    os.utime(start.model, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        other_weights,
        other_adapter,
        other_scale,
        no_adapter,
        other_template,
        other_rope_base,
        other_program,
        other_library,
        other_version,
        other_slots,
        other_variable,
        touched,
    ],
)
def test_whatever_changes_the_state_has_another_key(start: Start, change: Change) -> None:
    before = start.key()
    change(start)
    assert start.key() != before


def test_what_changes_nothing_that_is_saved_has_the_same_key(start: Start) -> None:
    before = start.key()
    start.config = start.config.model_copy(update={"port": 9, "ctx_size": 4096})
    start.environment |= {"LLAMA_API_KEY": "secret", "HOME": "/home/somebody"}
    assert start.key() == before


def test_the_window_counts_where_a_model_reads_otherwise_in_a_longer_one(start: Start) -> None:
    write_tiny_model(start.model, more_tensors=("rope_factors_long.weight",))
    known = read_facts(start.model)
    for facts in (known, replace(known, has_two_ropes=None), None):
        start.facts = facts
        before = start.key()
        start.config = start.config.model_copy(update={"ctx_size": start.config.ctx_size * 2})
        assert start.key() != before


def test_weights_far_behind_the_head_of_a_large_file_count(start: Start) -> None:
    whole = bytearray(64 * 2**20)
    start.model.write_bytes(whole)
    keys = {start.key()}
    for place in range(2**20 + 1, len(whole), len(whole) // 15):
        changed = whole.copy()
        changed[place : place + 5 * 2**20] = b"x" * len(changed[place : place + 5 * 2**20])
        rewritten(start.model, partial(start.model.write_bytes, bytes(changed)))
        keys.add(start.key())
    assert len(keys) > 15


def test_parts_of_a_split_model_all_count(start: Start, tmp_path: Path) -> None:
    parts = [tmp_path / f"split-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.write_bytes(b"part")
    start.model = parts[0]
    before = start.key()
    parts[1].write_bytes(b"trap")
    assert start.key() != before
    parts[1].unlink()
    assert start.plan() is None  # nothing that is not known is named


def test_it_is_planned_only_where_it_can_be(start: Start) -> None:
    assert start.plan(limit_mb=0) is None
    plan = start.plan()
    assert plan is not None and plan.limit_bytes == 100 * 2**20
    paths = {stamp.path for stamp in plan.stamps}
    assert {str(start.model), str(start.adapter), str(start.program)} <= paths
