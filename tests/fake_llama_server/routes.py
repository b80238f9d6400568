"""Which path answers what."""

import json
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from .chat import answer_chat, canned, raw_bytes, render_prompt
from .engine import ROUTER_PROPS, Engine, count_tokens
from .faults import Faults, RawAnswer, load_faults
from .http import Connection, GoneError, Request, Response, error_response, json_response
from .streams import ROUTES as STREAM_ROUTES
from .streams import answer_streams

CHAT = ("POST", "/v1/chat/completions")
QUEUED = (CHAT, ("GET", "/slots"), ("GET", "/metrics"))  # what needs the engine's task queue
HEALTH = ("/health", "/v1/health")
METRICS_TYPE = "text/plain; version=0.0.4"

RECORD_LOCK = threading.Lock()

Handler = Callable[[Request, Engine, Faults], Response]


def serve(connection: Connection, engine: Engine) -> None:
    """Answer one client until it leaves."""
    try:
        while not connection.closing:
            request = connection.read_request()
            record(engine.folder, "requests.jsonl", _recorded(request))
            faults = load_faults(engine.folder).for_body(request.body)
            _answer(connection, request, engine, faults)
    except GoneError:
        pass
    finally:
        connection.close()


def record(folder: str, name: str, entry: dict[str, Any] | None) -> None:
    if entry is None:
        return
    line = json.dumps(entry) + "\n"
    with RECORD_LOCK, open(os.path.join(folder, name), "a", encoding="utf-8") as file:
        file.write(line)


def _recorded(request: Request) -> dict[str, Any] | None:
    if not request.body:
        return None
    try:
        body = json.loads(request.body)
    except ValueError:
        body = request.body.decode("latin-1")
    return {
        "method": request.method,
        "path": request.path,
        "headers": request.headers,
        "body": body,
    }


def _answer(connection: Connection, request: Request, engine: Engine, faults: Faults) -> None:
    route = (request.method, request.path)
    if raw := faults.raw_answers.get(request.path):
        _answer_raw(connection, raw)
    response = _refusal(request, engine, faults)
    if response is None and faults.healthy_but_dead and route in QUEUED:
        connection.hang()
    if response is None and route == CHAT:
        answer_chat(connection, request, engine, faults)
    elif response is None and route in STREAM_ROUTES and not faults.no_streams:
        answer_streams(connection, request, engine.streams)
    else:
        if request.path == "/slots":
            connection.pause(faults.slots_answer_slow_seconds)
        response = response or _plain(request, engine, faults)
        connection.respond(response, silent_close=faults.keep_alive_dies)
    connection.closing = connection.closing or faults.keep_alive_dies


def _refusal(request: Request, engine: Engine, faults: Faults) -> Response | None:
    """What comes before any route, in llama-server's order."""
    if faults.redirect_to:
        return Response(302, b"", headers=(f"Location: {faults.redirect_to}",))
    if not engine.ready.is_set():
        return error_response(503, "Loading model")
    if request.path not in HEALTH and not _may_enter(request, engine.launch.api_keys):
        return error_response(401, "Invalid API Key")
    if answer := faults.answers.get(request.path):
        return canned(answer.code, answer.body)
    return None


def _answer_raw(connection: Connection, raw: RawAnswer) -> NoReturn:
    pieces = [raw_bytes(piece) for piece in raw.pieces]
    for piece in pieces + pieces[-1:] * (raw.last_times - 1):
        connection.pause(raw.pause_seconds)
        connection.send(piece)
    if raw.then == "reset":
        connection.reset()
    if raw.then == "hang":
        connection.hang()
    raise GoneError


def _may_enter(request: Request, keys: frozenset[str]) -> bool:
    offered = request.headers.get("authorization", "").removeprefix("Bearer ")
    return not keys or offered in keys or request.headers.get("x-api-key") in keys


def _plain(request: Request, engine: Engine, faults: Faults) -> Response:
    handler = ROUTES.get((request.method, request.path))
    if handler is None:
        return error_response(404, "File Not Found")
    try:
        return handler(request, engine, faults)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return error_response(400, f"[json.exception.parse_error.101] {error}")


def _health(_: Request, __: Engine, faults: Faults) -> Response:
    status = faults.health_status or 200
    if status == 200:
        return json_response({"status": "ok"})
    return error_response(status, f"canned health {status}")


def _props(_: Request, engine: Engine, faults: Faults) -> Response:
    props = ROUTER_PROPS if faults.router_role else engine.props()
    return json_response({**props, **faults.props})


def _slots(_: Request, engine: Engine, faults: Faults) -> Response:
    if faults.no_slots or not engine.launch.slots_endpoint:
        return _not_supported("slots")
    return json_response(engine.slot_reports())


def _metrics(_: Request, engine: Engine, faults: Faults) -> Response:
    if faults.no_metrics or not engine.launch.metrics:
        return _not_supported("metrics")
    text = engine.metrics_text() if faults.metrics_text is None else faults.metrics_text
    return Response(200, text.encode(), METRICS_TYPE)


def _not_supported(name: str) -> Response:
    message = f"This server does not support {name} endpoint. Start it with `--{name}`"
    return error_response(501, message)


def _models(_: Request, engine: Engine, __: Faults) -> Response:
    name = engine.launch.alias
    model = {
        "id": name,
        "aliases": [name],
        "tags": engine.launch.tags,
        "object": "model",
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "created": 0,
        "owned_by": "llamacpp",
        "meta": {"n_vocab": 354, "n_ctx": engine.launch.slot_context, "n_ctx_train": 4096},
    }
    return json_response({"models": [], "object": "list", "data": [model]})


def _apply_template(request: Request, _: Engine, faults: Faults) -> Response:
    return json_response({"prompt": render_prompt(json.loads(request.body), faults)})


def _tokenize(request: Request, _: Engine, __: Faults) -> Response:
    content = json.loads(request.body).get("content", "")
    return json_response({"tokens": list(range(count_tokens(content)))})


def _input_tokens(request: Request, engine: Engine, faults: Faults) -> Response:
    if faults.no_input_tokens or engine.launch.era != "2026":
        return error_response(404, "File Not Found")
    tokens = count_tokens(render_prompt(json.loads(request.body), faults))
    return json_response({"input_tokens": tokens, "object": "response.input_tokens"})


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/health"): _health,
    ("GET", "/v1/health"): _health,
    ("GET", "/props"): _props,
    ("GET", "/slots"): _slots,
    ("GET", "/metrics"): _metrics,
    ("GET", "/v1/models"): _models,
    ("GET", "/models"): _models,
    ("POST", "/apply-template"): _apply_template,
    ("POST", "/tokenize"): _tokenize,
    ("POST", "/v1/chat/completions/input_tokens"): _input_tokens,
}
