"""What every test has: an environment of its own, engines, models, and a check for leftovers."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import hypothesis
import pytest

from tests.support.client_process import LlamaMCP
from tests.support.processes import end_leftovers

# The embedded engine is always there; a real llama.cpp folder is tried too where one is named.
REAL_LLAMA_CPP_VARIABLE = "LLAMA_MCP_TEST_LLAMA_CPP_PATH"
# The tiny model as a file, for a Python that cannot load numpy: Windows' own under Wine.
TINY_MODEL_VARIABLE = "LLAMA_MCP_TEST_TINY_MODEL"
REAL_LLAMA_CPPS = list(filter(None, [os.environ.get(REAL_LLAMA_CPP_VARIABLE)]))

# Where programs keep their files, models among them.
OPERATORS_VARIABLES = ("LLAMA_", "XDG_", "HF_", "HUGGINGFACE_", "OLLAMA_")

# A busy machine takes seconds to make an example, and no test measures the machine.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# Tests wait for processes more than they compute.
WORKERS_PER_CORE = 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let every worker begin with its share of the long ones, so that none is left at the end.

    pytest-xdist gives each worker an equal part of the items, in a row.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    # Those with a time limit of their own are the longest.
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = iter([item for item in items if not item.get_closest_marker("slow")])
    part = len(items) // workers
    parts = [slow[worker::workers] for worker in range(workers)]
    shared_out = [item for own in parts for item in (*own, *islice(quick, max(0, part - len(own))))]
    items[:] = [*shared_out, *quick]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out on Windows what rests on POSIX."""
    if sys.platform == "win32" and item.get_closest_marker("posix"):
        pytest.skip("rests on what only POSIX has")


@pytest.hookimpl(optionalhook=True)  # where xdist is not installed, tests run one at a time
def pytest_xdist_auto_num_workers() -> int:
    """Say how many workers `pytest -n auto` has."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the operator's settings or writes to the real home."""
    for name in list(os.environ):
        is_for_tests = name in (REAL_LLAMA_CPP_VARIABLE, TINY_MODEL_VARIABLE)
        if name.startswith(OPERATORS_VARIABLES) and not is_for_tests:
            monkeypatch.delenv(name)
    home = tmp_path / "user-home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):  # the second is Windows'
        monkeypatch.setenv(name, str(home))
    if sys.platform == "win32":
        monkeypatch.setenv("APPDATA", str(home / "AppData" / "Roaming"))
        monkeypatch.setenv("LOCALAPPDATA", str(home / "AppData" / "Local"))


class Launches:
    """Counts the programs that this process starts; Python announces each to its audit hooks."""

    EVENTS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty"})

    def __init__(self) -> None:
        self.count = 0
        sys.addaudithook(self._heed)

    def _heed(self, event: str, _arguments: object) -> None:
        self.count += event in self.EVENTS


@pytest.fixture(scope="session")
def launches() -> Launches:
    return Launches()


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path, launches: Launches) -> Iterator[None]:
    """Every test ends with no process of its own left: one that stays is killed and reported."""
    before = launches.count
    yield
    # A look at every process of the machine is dear: only a test that started one can leave one.
    left = end_leftovers(tmp_path) if launches.count > before else []
    assert not left, f"still running after the test: {left}"


# A reply that has so much room lasts for seconds, however quick the machine.
LONGEST_WINDOW = 32768


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if written := os.environ.get(TINY_MODEL_VARIABLE):
        return Path(written)
    from tests.support.tiny_model import write_tiny_model  # needs numpy

    return write_tiny_model(
        tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=LONGEST_WINDOW
    )


@pytest.fixture(
    params=[
        pytest.param("embedded", id="embedded"),
        *(pytest.param(path, id="real", marks=pytest.mark.slow) for path in REAL_LLAMA_CPPS),
    ]
)
def engine(request: pytest.FixtureRequest) -> str:
    """A llama_cpp_path: each engine that this machine has."""
    path: str = request.param
    return path


# The raw client speaks as the initialize era does, so that quick tests have both.
@pytest.fixture(scope="module", params=["auto", pytest.param("legacy", marks=pytest.mark.slow)])
def era(request: pytest.FixtureRequest) -> str:
    """The Client's mode: 2026-07-28, and the initialize era."""
    mode: str = request.param
    return mode


def llama_mcp_in(folder: Path, model: Path) -> LlamaMCP:
    """Return the installed command with a home in the folder and the embedded engine."""
    return LlamaMCP(
        home=folder / "llama-mcp-home",
        variables={
            "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
            "LLAMA_MCP_MODEL_PATH": str(model),
            "LLAMA_MCP_PORT": "0",
            "LLAMA_MCP_CTX_SIZE": "1024",
            # Two threads of llama.cpp wait for each other long on a machine that other work shares.
            "LLAMA_MCP_EXTRA_ARGS": "-t 1",
        },
    )


@pytest.fixture
def llama_mcp(tmp_path: Path, tiny_model: Path) -> LlamaMCP:
    """The installed command with a home of its own, the embedded engine and the tiny model."""
    return llama_mcp_in(tmp_path, tiny_model)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the tests of a file together; nothing that was started in it is left."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "user-home").mkdir()
    yield folder
    left = end_leftovers(folder)
    assert not left, f"still running after the last test: {left}"


@pytest.fixture(scope="module")
def shared_fake(shared_folder: Path) -> Path:
    """Where the tests of a file together have a fake llama-server."""
    return shared_folder / "fake"


@pytest.fixture(scope="module")
def shared_llama_mcp(shared_folder: Path, tiny_model: Path) -> LlamaMCP:
    """One llama-mcp for the tests of a file, where its process is not what they are about."""
    shared = llama_mcp_in(shared_folder, tiny_model)
    home = {"HOME": str(shared_folder / "user-home")}
    return replace(shared, variables=shared.variables | home)


@pytest.fixture
def fake_folder(tmp_path: Path) -> Path:
    """Where a test installs a fake llama-server and sets its faults."""
    return tmp_path / "fake"
