"""The JSON schema of a reply: checked before anything is sent, and the reply against it."""

import json
from collections.abc import Mapping
from typing import Any

from llama_mcp.errors import CompletionError, InvalidArgumentError, LlamaServerLostError
from llama_mcp.llama_server.client import LlamaServerClient
from llama_mcp.turns.chat_request import Sampling, build_body

# jsonschema is imported where it is used: 60 ms that only these calls need.


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise InvalidArgumentError for a json_schema that is no JSON schema."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidArgumentError(
            "json_schema", f"is not a JSON schema ({error.message})", "Correct it and try again."
        ) from error


async def check_taken(client: LlamaServerClient, sampling: Sampling) -> None:
    """See that llama-server can hold a reply to the schema; a build that cannot say takes it.

    /apply-template makes the same grammar of it as a chat does, without taking a slot.

    Raises:
        InvalidArgumentError: it cannot.
    """
    try:
        await client.ask(
            "/apply-template", build_body([{"role": "user", "content": "."}], sampling)
        )
    except LlamaServerLostError:
        raise
    except CompletionError as error:
        raise InvalidArgumentError(
            "json_schema",
            f"cannot be kept to by llama-server ({error.problem})",
            "Use a simpler one: types, properties, required, enum, items.",
        ) from error


def parse_reply(text: str, sampling: Sampling) -> tuple[Any, list[str]]:
    """Return the reply as data when a schema was asked for, and what is wrong with it."""
    if sampling.json_schema is None:
        return None, []
    from jsonschema import Draft202012Validator

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None, ["The reply is not complete JSON; a larger max_tokens may help."]
    try:
        fault = next(Draft202012Validator(sampling.json_schema).iter_errors(data), None)
    except Exception as error:  # whatever a schema can refer to, the reply itself is there
        return data, [f"The reply could not be checked against json_schema: {error}"[:300]]
    return data, [f"The reply does not keep to json_schema: {fault.message[:200]}"] if fault else []
