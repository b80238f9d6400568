"""The tools, resources and prompts that the conformance suite asks of the server under test.

The suite calls tools by agreed names (`test_image_content` ...) to see what a server can carry that
our own tools never send: images, sampling, elicitation, several rounds. They are registered on our
own server object, so that all of ours lies in the path: middleware, lists, failures, schemas. What
each has to do is written in the suite's scenarios (modelcontextprotocol/conformance,
src/scenarios/server); the SDK's everything-server was the model.
"""

import base64
import json
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field, JsonValue

PIXEL_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dw"
    "HwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
SILENCE_WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
PAUSE_SECONDS = 0.02
DESCRIPTION = "A fixture of the conformance suite."

Server = MCPServer[Any]
AnyContext = Context[Any, Any]


def lay_over(server: Server) -> None:
    """Register every fixture on the server."""
    _add_contents(server)
    _add_notifications(server)
    _add_questions(server)
    _add_form_schemas(server)
    _add_one_round(server)
    _add_rounds_with_state(server)
    _add_schemas(server)
    _add_changes(server)
    _add_resources(server)
    _add_prompts(server)
    _add_round_for_a_prompt(server)


def _add_contents(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)
    image = ImageContent(type="image", data=PIXEL_PNG, mime_type="image/png")

    @tool
    async def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @tool
    async def test_image_content() -> list[ImageContent]:
        return [image]

    @tool
    async def test_audio_content() -> list[AudioContent]:
        return [AudioContent(type="audio", data=SILENCE_WAV, mime_type="audio/wav")]

    @tool
    async def test_embedded_resource() -> list[EmbeddedResource]:
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    @tool
    async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        data = _embedded("test://mixed-content-resource", '{"test": "data", "value": 123}')
        return [_text("Multiple content types test:"), image, data]

    @tool
    async def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")


def _add_notifications(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    @tool
    async def test_tool_with_progress(ctx: AnyContext) -> str:
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
            await anyio.sleep(PAUSE_SECONDS)
        return "Done"


class Answer(BaseModel):
    """What a person is asked for."""

    response: str = Field(description="User's response")


def _add_questions(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    @tool
    async def test_sampling(prompt: str, ctx: AnyContext) -> str:
        result = await ctx.session.create_message(
            messages=[SamplingMessage(role="user", content=_text(prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,  # else it goes to a stream that may not be open
        )
        return f"LLM response: {_text_of(result)}"

    @tool
    async def test_elicitation(message: str, ctx: AnyContext) -> str:
        result = await ctx.elicit(message=message, schema=Answer)
        return f"User response: {result.model_dump_json()}"

    @tool
    async def test_missing_capability(ctx: AnyContext) -> str:
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            raise MCPError(
                MISSING_REQUIRED_CLIENT_CAPABILITY,
                "This tool requires the client's sampling",
                {"requiredCapabilities": {"sampling": {}}},
            )
        return "Sampling is there"


class Defaults(BaseModel):
    """A form with a default of every kind (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field(
        default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]}
    )
    verified: bool = True


def _titled(**titles: str) -> list[JsonValue]:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    """A form with a choice of every kind (SEP-1330)."""

    untitledSingle: str = Field(  # noqa: N815  the suite's name, and so are those below
        json_schema_extra={"enum": ["active", "inactive", "pending"]}
    )
    titledSingle: str = Field(  # noqa: N815
        json_schema_extra={"oneOf": _titled(low="Low", medium="Medium", high="High")}
    )
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["read", "write", "execute"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"anyOf": _titled(feature="New", bug="Bug", docs="Docs")}}
    )
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["small", "large"], "enumNames": ["Small Size", "Large Size"]}
    )


def _add_form_schemas(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    @tool
    async def test_elicitation_sep1034_defaults(ctx: AnyContext) -> str:
        result = await ctx.elicit(message="Please provide user information", schema=Defaults)
        return f"Elicitation result: {result.model_dump_json()}"

    @tool
    async def test_elicitation_sep1330_enums(ctx: AnyContext) -> str:
        result = await ctx.elicit(message="Please select", schema=Choices)
        return f"Elicitation completed: {result.model_dump_json()}"


def _add_one_round(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    @tool
    async def test_input_required_result_elicitation(ctx: AnyContext) -> str | InputRequiredResult:
        name = _answer(ctx, "user_name", "name")
        return f"Hello, {name}!" if name else _ask(user_name=_form("What is your name?", "name"))

    @tool
    async def test_input_required_result_sampling(ctx: AnyContext) -> str | InputRequiredResult:
        answer = (ctx.input_responses or {}).get("capital_question")
        if isinstance(answer, CreateMessageResult):
            return f"Model said: {_text_of(answer)}"
        return _ask(capital_question=_prompt("What is the capital of France?"))

    @tool
    async def test_input_required_result_list_roots(ctx: AnyContext) -> str | InputRequiredResult:
        answer = (ctx.input_responses or {}).get("client_roots")
        if isinstance(answer, ListRootsResult):
            return f"Client exposed {len(answer.roots)} root(s)."
        return _ask(client_roots=ListRootsRequest())

    @tool
    async def test_input_required_result_capabilities(ctx: AnyContext) -> InputRequiredResult:
        client = ctx.client_capabilities
        questions: dict[str, InputRequest] = {}
        if client is None or client.sampling is not None:
            questions["sample"] = _prompt("Say hello")
        if client is None or client.elicitation is not None:
            questions["ask"] = _form("What is your name?", "name")
        return _ask("capability-gated", **questions)


def _add_rounds_with_state(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    @tool
    async def test_input_required_result_request_state(
        ctx: AnyContext,
    ) -> str | InputRequiredResult:
        if _answer(ctx, "confirm", "ok") and ctx.request_state == "nonce":
            return "state-ok: confirmation received"
        return _ask("nonce", confirm=_form("Please confirm", "ok", "boolean"))

    @tool
    async def test_input_required_result_tampered_state(
        ctx: AnyContext,
    ) -> str | InputRequiredResult:
        if ctx.request_state is not None:  # a changed one does not get here
            return f"state-ok: {ctx.request_state}"
        return _ask("round-1", confirm=_form("Please confirm", "ok", "boolean"))

    @tool
    async def test_input_required_result_multiple_inputs(
        ctx: AnyContext,
    ) -> str | InputRequiredResult:
        questions: dict[str, InputRequest] = {
            "user_name": _form("What is your name?", "name"),
            "greeting": _prompt("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        if questions.keys() <= (ctx.input_responses or {}).keys():
            return "All inputs received."
        return _ask("multiple-inputs", **questions)

    @tool
    async def test_input_required_result_multi_round(ctx: AnyContext) -> str | InputRequiredResult:
        state = json.loads(ctx.request_state or "{}")
        if "name" in state and (color := _answer(ctx, "step2", "color")):
            return f"{state['name']} likes {color}."
        if name := _answer(ctx, "step1", "name"):
            state = json.dumps({"name": name})
            return _ask(state, step2=_form("Step 2: What is your favorite color?", "color"))
        return _ask("{}", step1=_form("Step 1: What is your name?", "name"))


def _add_schemas(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)
    header = {"x-mcp-header": "Region"}

    @tool
    async def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={**header})] = "<none>",
    ) -> str:
        return f"region={region}"

    @tool
    async def json_schema_2020_12_tool() -> str:
        return "json_schema_2020_12_tool"

    registered = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert registered is not None
    registered.parameters = {  # the SDK has no public way to give a tool a schema of one's own
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }


def _add_changes(server: Server) -> None:
    tool = server.tool(description=DESCRIPTION)

    async def passing() -> str:
        return "here for a moment"

    @tool
    async def test_trigger_tool_change(ctx: AnyContext) -> str:
        server.add_tool(passing)
        server.remove_tool("passing")
        await ctx.notify_tools_changed()
        return "tool list changed"

    @tool
    async def test_trigger_prompt_change(ctx: AnyContext) -> str:
        server.add_prompt(Prompt.from_function(passing))
        server.remove_prompt("passing")
        await ctx.notify_prompts_changed()
        return "prompt list changed"


def _add_resources(server: Server) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    async def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    async def static_binary() -> bytes:
        return base64.b64decode(PIXEL_PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    async def from_template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    async def watched() -> str:
        return "Watched resource content"


def _add_prompts(server: Server) -> None:
    prompt = server.prompt(description=DESCRIPTION)

    @prompt
    async def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage("This is a simple prompt for testing.")]

    @prompt
    async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @prompt
    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
        resource = _embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @prompt
    async def test_prompt_with_image() -> list[UserMessage]:
        image = ImageContent(type="image", data=PIXEL_PNG, mime_type="image/png")
        return [UserMessage(image), UserMessage("Please analyze the image above.")]


def _add_round_for_a_prompt(server: Server) -> None:
    prompt = server.prompt(description=DESCRIPTION)

    @prompt
    async def test_input_required_result_prompt(
        ctx: AnyContext,
    ) -> list[UserMessage] | InputRequiredResult:
        context = _answer(ctx, "user_context", "context")
        if context:
            return [UserMessage(f"Use the following context: {context}")]
        return _ask(user_context=_form("What context should the prompt use?", "context"))


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _text_of(result: CreateMessageResult) -> str:
    return result.content.text if isinstance(result.content, TextContent) else "no text"


def _embedded(uri: str, text: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    return EmbeddedResource(type="resource", resource=contents)


def _ask(request_state: str | None = None, **questions: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=request_state)


def _form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _prompt(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=_text(text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=100)
    )


def _answer(ctx: AnyContext, question: str, field: str) -> Any:
    """Return what a person put into a form's field, None when there is no answer."""
    answer = (ctx.input_responses or {}).get(question)
    content = answer.content if isinstance(answer, ElicitResult) else None
    return content.get(field) if content else None
