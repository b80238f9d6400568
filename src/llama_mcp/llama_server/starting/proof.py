"""Whether what answers at a run's address is the llama-server that was started; else what differs.

/health alone proves nothing: any server on the port could answer it. Proved is: the recorded
process lives, the port belongs to it or one below it as far as the system tells, and /props names
the model that was launched. Where the port is somebody else's, as with a wrapper that has a
container started, the server has to name the run's own tag.
"""

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import anyio.to_thread

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.diagnosis.log import read_log_tail, without_prefix
from llama_mcp.llama_server.errors import NotOursError
from llama_mcp.llama_server.runs import members, ports
from llama_mcp.llama_server.runs.run import Run

# /props waits in llama-server's queue, behind its warm-up for example. A start depends on the
# answer, so it has more time than a look.
PROOF_TIMEOUT_SECONDS = 15.0
_LOG_LINES = 200
_REACHED_BY_LOOPBACK = ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0")
_LISTENS = re.compile(r"\blistening on\b", re.IGNORECASE)
_NO_ANSWER = 0

_NOT_A_WRAPPER = (
    "Pass llama-server itself as llama_cpp_path, or a wrapper that hands on all its arguments and "
    'LLAMA_API_KEY: exec /path/to/llama-server "$@".'
)
_OTHER_PORT = "Pass port=0 for a free port; a wrapper must run llama-server below itself (exec)."


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why what answers is not taken for the llama-server that was started.

    Attributes:
        what: what differs: part of a sentence.
        advice: what to do, in whole sentences.
        is_certain: whether waiting cannot change it.
    """

    what: str
    advice: str = ""
    is_certain: bool = True


def is_success(status: int) -> bool:
    """Tell whether a status of HTTP is one of success."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


async def odd_health(status: int, run: Run, client: LlamaServerClient) -> Doubt | None:
    """Return what an answer of /health other than success says against the run; None for 503."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # 502 and 504 are a proxy's that waits for it
        return Doubt(f"/health gives HTTP {status}", is_certain=False)
    return await _whose_port(run, client) or Doubt(
        f"{run.launch.url}/health gives HTTP {status}, which llama-server does not", _NOT_A_WRAPPER
    )


async def prove(run: Run, client: LlamaServerClient) -> dict[str, Any] | Doubt:
    """Return /props when it is proved to be the run's llama-server that answers, else the doubt."""
    status, props = await client.look("/props", PROOF_TIMEOUT_SECONDS)
    if (doubt := await _whose_port(run, client)) is not None:
        return doubt
    if not isinstance(props, dict) or not is_success(status):
        return _no_props(status)
    if (doubt := _other_model(props, run)) is not None:
        return doubt
    state = run.state()
    if state is None or state.llama_server is None or not state.llama_server.is_alive():
        return Doubt("the process that was started is gone")
    return props


async def check(run: Run, client: LlamaServerClient) -> None:
    """Check that it is the run's llama-server that answers.

    Raises:
        NotOursError: it is not, or that is not proved.
    """
    found = await prove(run, client)
    if isinstance(found, Doubt):
        raise NotOursError(run.launch.url, run.launch.alias, found.what)


def _no_props(status: int) -> Doubt:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Doubt(
            f"it does not take the API key that it was started with (HTTP {status})", _NOT_A_WRAPPER
        )
    if status == _NO_ANSWER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        problem = f"HTTP {status}" if status else "no answer"
        return Doubt(f"/props gives {problem}", is_certain=False)
    return Doubt(f"/props (HTTP {status}) is not what llama-server says of itself", _NOT_A_WRAPPER)


async def _whose_port(run: Run, client: LlamaServerClient) -> Doubt | None:
    """Return the doubt when somebody else is known to listen on the port.

    Somebody else may do so for ours, such as a container engine: then ours names the run's tag.
    """
    # In a thread: the system may have to look through the sockets of many processes.
    doubt = await anyio.to_thread.run_sync(_other_holder, run)
    tag = run.launch.tag
    return None if doubt and tag and await client.names_tag(tag) else doubt


def _other_holder(run: Run) -> Doubt | None:
    state, port = run.state(), run.launch.port
    if state is None or state.llama_server is None:
        return Doubt("the process that was started is gone")
    owner = ports.owner_of(port, members.pids_of(state))
    if owner.is_ours is not False:
        return None
    return Doubt(
        f"port {port} is held by {owner.who}, which is neither the llama-server that was started "
        f"(pid {state.llama_server.pid}) nor a process below it",
        _OTHER_PORT,
    )


def _other_model(props: dict[str, Any], run: Run) -> Doubt | None:
    """Return the doubt when /props is not that of our launch.

    A build that names no model cannot say.
    """
    if props.get("role") == "router":
        return Doubt("it runs as a router, without the model that was passed", _NOT_A_WRAPPER)
    if given := props.get("model_alias"):
        flag, wanted = "--alias", run.launch.alias
    else:
        given = props.get("model_path")
        flag, wanted = "-m", run.launch.config.model_path or ""
    if not given or given == wanted:
        return None
    return Doubt(f"it names its model {given!r}, and {flag} {wanted!r} was passed", _NOT_A_WRAPPER)


def why_silent(run: Run) -> Doubt | None:
    """Say what is known of a llama-server of which nothing answers; None while it may load."""
    state, port = run.state(), run.launch.port
    if state is None or state.llama_server is None:
        return None
    addresses = ports.addresses_of(members.pids_of(state))
    if not addresses and ports.is_held(port) and (doubt := _other_holder(run)) is not None:
        # A container engine listens before its container does.
        return replace(doubt, is_certain=False)
    if any(number == port and ip in _REACHED_BY_LOOPBACK for ip, number in addresses):
        return _no_loopback(port)
    lines = map(without_prefix, read_log_tail(run.log_path, _LOG_LINES))
    says = next(filter(_LISTENS.search, lines), "")
    if not says and not addresses:
        return None
    listens = ", ".join(f"{ip} port {number}" for ip, number in addresses)
    found = f"it listens on {listens}" if addresses else f'its log says "{says}"'
    return Doubt(
        f"nothing of it listens on 127.0.0.1 port {port}, although {found}",
        f"A wrapper has to pass on --host and --port as they are. {_NOT_A_WRAPPER}",
        is_certain=bool(says),
    )


def _no_loopback(port: int) -> Doubt | None:
    """Return the doubt when the system connects nobody to a port on which llama-server listens."""
    problem = ports.why_unreachable(port)
    if problem is None or isinstance(problem, TimeoutError | ConnectionError):
        return None
    reason = problem.strerror or str(problem)
    return Doubt(
        f"it listens on 127.0.0.1 port {port}, but the system connects nobody to it: {reason}",
        "Let llama-mcp use the loopback interface (in a container: ip link set lo up).",
    )
