"""Runs of other machines and containers with the same home folder: told, and left alone."""

from pathlib import Path

from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.run import Run, is_here, place_of, read_run, run_folders


def describe(runs_dir: Path) -> list[str]:
    """Return a sentence for each run of elsewhere that runs, or may run."""
    return [
        f"{_verb(run)} elsewhere ({_where(run)}): {run.launch.alias} on port {run.launch.port}. "
        "It was started there with this home folder and is left alone."
        for run in _of_elsewhere(runs_dir)
    ]


def describe_holder(runs_dir: Path, port: int) -> str | None:
    """Return who of elsewhere may hold the port, as it does with a network in common."""
    on_port = (run for run in _of_elsewhere(runs_dir) if run.launch.port == port)
    run = next(on_port, None)
    return f"the llama-server that runs elsewhere ({_where(run)}) with this home" if run else None


def _of_elsewhere(runs_dir: Path) -> list[Run]:
    runs = (read_run(folder) for folder in sorted(run_folders(runs_dir)))
    return [run for run in runs if isinstance(run, Run) and not is_here(run) and _can_live(run)]


def _can_live(run: Run) -> bool:
    state, place = run.state(), place_of(run)
    if place is None or state is None or state.exit or state.spawn_error:
        return False
    return places.can_live(place, str(run.folder), places.here())


def _verb(run: Run) -> str:
    is_sure = places.is_held(str(run.folder))
    return "A llama-server runs" if is_sure else "A llama-server may still run"


def _where(run: Run) -> str:
    place, ours = place_of(run), places.here()
    host = place.host if place and place.host else "unknown"
    is_beside = place is not None and place.boot == ours.boot and bool(ours.boot)
    return f"host {host}, in another container" if is_beside else f"host {host}"
