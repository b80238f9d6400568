"""What tools take, as named types with a description for the model, and what tools do to the world.

Ranges come from ranges.py; a description says what the parameter means and its unit.
"""

from typing import Annotated, Any

from mcp.types import ToolAnnotations
from pydantic import BeforeValidator, Field, WrapValidator

from llama_mcp.ranges import (
    CtxSize,
    GpuLayers,
    LoadSeconds,
    MaxTokens,
    Parallel,
    Port,
    Seed,
    Share,
    StopText,
    Temperature,
    TopK,
    WaitSeconds,
)

# Clients decide by these whether to ask their user first. What is left out is as the specification
# has it: not read-only, not idempotent, and of what reads only nobody asks whether it is.
READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDITIVE = ToolAnnotations(destructive_hint=False, open_world_hint=False)
# Ends or overwrites something, if only when it is asked to; done twice it does no more.
DESTRUCTIVE = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)

# Adds a file that comes from elsewhere: what an open world is to the specification, if unsaid.
FETCHING = ToolAnnotations(destructive_hint=False)

# A plain string, empty when it is left out: for `str | None` the SDK would take a text that happens
# to be JSON (a system prompt, say) for data. Some models pass null for what they leave out.
OptionalText = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
# The same where an empty text means something; left out it is None.
TextOrUnset = Annotated[
    str, WrapValidator(lambda value, check: None if value is None else check(value))
]
UNSET: Any = None
# May replace a file, if asked to; done twice it does more.
REPLACING = ToolAnnotations(destructive_hint=True, open_world_hint=False)

# A start.
ModelPath = Annotated[
    OptionalText, Field(description="GGUF file, or a model's name or part of it.")
]
LlamaCppPath = Annotated[
    OptionalText,
    Field(description="llama.cpp folder, executable, or `embedded`."),
]
PortParameter = Annotated[Port | None, Field(description="TCP port; 0 picks a free one.")]
CtxSizeParameter = Annotated[
    CtxSize | None, Field(description="Context window per conversation, in tokens.")
]
ParallelParameter = Annotated[
    Parallel | None, Field(description="Conversations that may generate at once.")
]
GpuLayersParameter = Annotated[
    GpuLayers | None, Field(description="-1 all, 0 CPU only, unset automatic.")
]
ExtraArgs = Annotated[
    list[str] | None,
    Field(description="More flags, each flag and value an item."),
]
Replace = Annotated[bool, Field(description="Stop one that runs with other settings.")]
# The default is not in the schema: the catalogue is the same whatever an operator sets.
WaitUntilBack = Annotated[
    WaitSeconds | None,
    Field(description="Unset: usually 50."),
]
GiveUpLoading = Annotated[LoadSeconds, Field(description="Give up loading after this.")]
ModelName = Annotated[OptionalText, Field(description="Which of several.")]
ModelThatRanks = Annotated[OptionalText, Field(description="Model that ranks.")]
ModelToStop = Annotated[
    OptionalText, Field(description="Which of several, or `all`; else the last started.")
]
Force = Annotated[bool, Field(description="Stop it even while it is used.")]

# A turn.
TurnModel = Annotated[OptionalText, Field(description="Model to answer; else the session's.")]
SessionId = Annotated[str, Field(description="Or its beginning.")]
MessageText = Annotated[str, Field(description="What to say to the model.")]
ContinuedSession = Annotated[
    OptionalText, Field(description="Session to go on with; else a new one.")
]
FirstSystemPrompt = Annotated[
    OptionalText, Field(description="New session: how the model should behave.")
]
# One name may come as it is.
FilesToRead = Annotated[
    list[str] | None,
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(description="Texts and pictures to add: paths, globs, path:10-80."),
]
SaveReplyTo = Annotated[OptionalText, Field(description="File for the reply; gives a receipt.")]
Overwrite = Annotated[bool, Field(description="Let save_to replace a file.")]
TemperatureParameter = Annotated[
    Temperature | None, Field(description="Randomness; 0 is deterministic.")
]
TopP = Annotated[Share | None, Field(description="Nucleus sampling.")]
TopKParameter = Annotated[TopK | None, Field(description="Only the k likeliest tokens; 0 all.")]
MinP = Annotated[Share | None, Field(description="Least share of the best token.")]
MaxTokensParameter = Annotated[MaxTokens | None, Field(description="Longest reply, in tokens.")]
SeedParameter = Annotated[Seed | None, Field(description="For a reply that repeats.")]
# One text may come as it is, as OpenAI's API takes it.
Stop = Annotated[
    list[StopText] | None,
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(description="Texts at which the reply ends."),
]
JsonSchema = Annotated[
    dict[str, Any] | None,
    Field(description="Schema of the reply, given as parsed."),
]
Thinking = Annotated[bool | None, Field(description="Reason first, where the model can.")]
