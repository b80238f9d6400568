"""What llama-server's last words mean: a table, the most specific rows first.

Here are the rows about what it was given: flags, addresses, files. executable_symptoms.py has the
rows about the program itself, machine_symptoms.py those about the machine; the latter also puts all
together.

A row is a pattern for one log line, the cause it shows and the next step. In both texts a name
in braces stands for a group of the pattern or for one of the figures that advice.py
computes: `{lost_workers}`, `{model}`, `{engine}`, `{context}`, `{parallel}`, `{when}`, `{killer}`,
`{kill_advice}`, `{memory_advice}`, `{gpu_advice}`, `{flag_advice}`, `{value_advice}`. Patterns see
lines without llama.cpp's time and level.

The texts are those of llama.cpp b11434 unless a row says otherwise: common/arg.cpp for flags,
src/llama-model-loader.cpp for models, tools/server/server.cpp for the rest.
"""

import re
from typing import NamedTuple


class Symptom(NamedTuple):
    """A line that llama-server writes when it fails, and what to make of it."""

    expression: str
    cause: str
    advice: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is needed: most processes never see a failure."""
        return re.compile(self.expression)


class Ending(NamedTuple):
    """What a signal or an exit code means when the log does not say more."""

    cause: str
    advice: str


_DOWNLOAD_AGAIN = (
    "Ask the user to download it again and to compare its size with the one at the source, or pass "
    "another model."
)
_UPDATE = "Pass a newer llama.cpp as llama_cpp_path, or take another GGUF of this model."
_OTHER_GGUF = "Take a GGUF version of this model; llama-server reads nothing else."
_CONVERSION = (
    "Pass a newer llama.cpp as llama_cpp_path; if that does not help, the conversion is bad "
    "and another GGUF of this model is needed."
)
_WHOLE = (
    "Pass the model itself as model_path; an adapter goes into extra_args as --lora, a projector "
    "as --mmproj."
)
_SAME_RPC = (
    "Start ggml-rpc-server there, from the same llama.cpp release, or take it out of --rpc or "
    "LLAMA_MCP_RPC_SERVERS."
)

_ARGUMENTS = (
    Symptom(
        r'argument "(?P<flag>[^"]*)": (?P<hint>the argument has been removed.*)',
        "this llama-server no longer takes {flag}: {hint}",
        "Take {flag} out of extra_args, or replace it as said.",
    ),
    Symptom(
        r"error: (?:invalid|unknown) argument: (?P<flag>\S+)",
        "llama-server does not know the flag {flag}",
        "{flag_advice}",
    ),
    Symptom(
        r'argument "--slot-save-path": not a directory: (?P<folder>.*)',
        "llama-server cannot see {folder}, where its prompt caches are kept: it runs in a "
        "container, or as another user",
        "Ask the user to make that folder reachable for it, or to set LLAMA_MCP_KV_DISK_MB=0.",
    ),
    Symptom(
        r'argument "(?P<flag>[^"]*)": invalid device: (?P<device>.*)',
        "there is no device {device}",
        "Leave {flag} out of extra_args: llama-server then takes the devices that there are.",
    ),
    Symptom(
        r"RPC not supported in this build",
        "this llama-server was built without RPC",
        "Pass as llama_cpp_path a build with GGML_RPC, or take --rpc out of extra_args.",
    ),
    Symptom(
        r'argument "(?P<flag>[^"]*)": sto(?:i|f|l|ul|ull|ll|d)\b',
        "the value of {flag} is not a number, or too large a one",
        "{value_advice}",
    ),
    Symptom(
        r'error while handling argument "(?P<flag>[^"]*)": (?:error: )?(?P<problem>.+)',
        "llama-server refuses the value of {flag}: {problem}",
        "{value_advice}",
    ),
    Symptom(
        r'error while handling environment variable "(?P<variable>[^"]*)": (?P<problem>.+)',
        "llama-server refuses the environment variable {variable}: {problem}",
        "Unset {variable}; what it should do goes into extra_args.",
    ),
    Symptom(
        r"n_seq_max must be <= (?P<limit>\d+)",
        "parallel={parallel} is more conversations than this llama-server can hold, {limit}",
        "Pass parallel={limit} or less.",
    ),
    Symptom(
        r"quantized V cache requires flash_attn",
        "a quantised V cache needs flash attention, and it is off",
        'Put "--flash-attn", "on" into extra_args, or take --cache-type-v out.',
    ),
    Symptom(
        r"the supplied chat template is not supported: (?P<template>.*)",
        "llama-server cannot use the chat template {template}",
        "Correct --chat-template or --chat-template-file in extra_args, or leave it out to use the "
        "model's own.",
    ),
    Symptom(
        r"chat template parsing error: (?P<problem>.*)",
        "the model's chat template cannot be read ({problem})",
        'Put "--chat-template-file" with a good template into extra_args, or "--no-jinja", '
        '"--chat-template", "chatml".',
    ),
)

_NETWORK = (
    Symptom(
        r"couldn't bind .*server socket\W+hostname\W+(?P<host>[^\s,]+)\W+port\W+"
        r"(?P<bound>[1-9]\d{0,2}|10[01]\d|102[0-3])\b",
        "port {bound} on {host} could not be opened; ports below 1024 are the system's",
        "Pass a port above 1023, or port=0 for any free one.",
    ),
    Symptom(
        r"couldn't bind .*server socket\W+hostname\W+(?P<host>[^\s,]+)\W+port\W+0\b",
        "llama-server could not listen on {host}, on any port",
        "Leave out of extra_args what names addresses or certificates.",
    ),
    Symptom(
        r"couldn't bind .*server socket\W+hostname\W+(?P<host>[^\s,]+)\W+port\W+(?P<bound>\d+)",
        "port {bound} on {host} could not be opened; most often another program listens on it",
        "Pass another port, or port=0 for any free one.",
    ),
    Symptom(
        r"rpc\.cpp:\d+: Failed to connect to (?P<endpoint>\S+)|"
        r"RPC handshake failed for (?P<other>\S+)",
        "the RPC worker {endpoint}{other} cannot be reached",
        _SAME_RPC,
    ),
    Symptom(
        r"RPC server version mismatch(?P<versions>.*)",
        "an RPC worker speaks another version of the protocol{versions}",
        "Use the same llama.cpp release on all machines.",
    ),
    Symptom(
        r"Remote RPC server crashed or returned malformed response",
        "an RPC worker crashed or went away{lost_workers}",
        "Start ggml-rpc-server there again; the next call then starts llama-server with it.",
    ),
)

# Before the rows of the main model: the lines about its file appear for these files as well.
_COMPANIONS = (
    Symptom(
        r"failed to load multimodal model, '(?P<file>[^']*)'|"
        r"[Ff]ailed to load CLIP model from (?P<other>\S+)",
        "the projector {file}{other} (--mmproj) could not be loaded",
        "Pass the mmproj file that belongs to this model in extra_args (--mmproj), or --no-mmproj "
        "there to do without one.",
    ),
    Symptom(
        r"failed to (?:load|apply) lora adapter(?: '(?P<file>[^']*)')?",
        "the LoRA adapter {file} could not be loaded",
        "Check the path of --lora in extra_args; the adapter must be a GGUF made for this model.",
    ),
    Symptom(
        r"failed to load draft model,? '(?P<file>[^']*)'",
        "the draft model {file} could not be loaded",
        "Check its path in extra_args, or take the draft model out.",
    ),
    Symptom(
        r"failed to reload model after sleeping",
        "the model could not be loaded again after sleeping",
        "Check that {model} is still there and memory is free, or take --sleep-idle-seconds out "
        "of extra_args.",
    ),
)

_MODEL = (
    Symptom(
        r"magic characters:? 'vers'",
        "the model file is a Git LFS pointer, not the model itself",
        "Ask the user to run `git lfs pull` in its repository, or to download the file itself.",
    ),
    Symptom(
        r"magic characters:? '(?:<!|<[hH?])",
        "the model file is a web page, not a model",
        "Ask the user to download the model again, by the file's direct link.",
    ),
    Symptom(r"magic characters:? 'PK", "the model file is a PyTorch or zip file", _OTHER_GGUF),
    Symptom(r"magic characters:? '\{", "the model file is a JSON or safetensors file", _OTHER_GGUF),
    Symptom(
        r"magic characters:? '(?:lmgg|fmgg|tjgg|algg)'",
        "the model file is in a llama.cpp format older than GGUF",
        _OTHER_GGUF,
    ),
    Symptom(
        r"magic characters:? '(?P<magic>.{0,8}?)'",
        "the model file is not a GGUF (it begins with {magic})",
        _OTHER_GGUF,
    ),
    Symptom(
        r"failed to read magic",
        "the model file is empty, a folder or cut off in its first bytes",
        "Pass another .gguf file, or ask the user to download the model again.",
    ),
    Symptom(
        r"GGUF file is version (?P<version>\d+) but this software only supports up to",
        "the model file says GGUF version {version}, newer than this llama-server reads",
        _UPDATE,
    ),
    Symptom(
        r"GGUFv1 is no longer supported",
        "the model file is GGUF version 1, which llama-server no longer reads",
        "Take a newer GGUF of this model.",
    ),
    Symptom(
        r"mismatch between the host and model endianness",
        "the model file is a big-endian GGUF, or damaged",
        "Take the little-endian GGUF of this model.",
    ),
    Symptom(
        r"must be loaded with the first split",
        "model_path is not the first file of a split model",
        "Pass the file whose name ends in -00001-of-... as model_path.",
    ),
    Symptom(
        r"failed to load model,? ''",
        "it was given no model",
        "Pass model_path.",
    ),
    Symptom(
        r"failed to load GGUF split from (?P<file>\S+)|invalid split|tensors expected but \d",
        "a file of the split model is missing or damaged ({file})",
        "Ask the user to download all files of the model into one folder.",
    ),
    Symptom(
        r"not within the file bounds|failed to read (?:header|key-value pairs|tensor)|"
        r"exceeds remaining file size|unexpectedly reached end of file|is duplicated",
        "the model file is incomplete or damaged",
        _DOWNLOAD_AGAIN,
    ),
    Symptom(
        r"unknown model architecture: '(?P<name>[^']*)'",
        "this llama-server does not know the model's architecture {name}",
        _UPDATE,
    ),
    Symptom(
        r"unknown (?:pre-)?tokenizer(?: type)?: '(?P<name>[^']*)'",
        "this llama-server does not know the model's tokenizer {name}",
        _UPDATE,
    ),
    Symptom(
        r"CLIP cannot be used as main model",
        "the model file is a projector (mmproj), not a model",
        _WHOLE,
    ),
    Symptom(
        r"key not found in model: (?P<key>\S+)",
        "the model file lacks {key}: it is an adapter, a projector or a bad conversion",
        _WHOLE,
    ),
    Symptom(
        r"missing tensor|tensor '(?P<name>[^']*)' not found|wrong number of tensors|"
        r"has wrong shape|wrong type for tensor",
        "the model's tensors are not the ones this llama-server expects",
        _CONVERSION,
    ),
)

WHAT_IT_WAS_GIVEN: tuple[Symptom, ...] = (
    *_ARGUMENTS,
    *_NETWORK,
    *_COMPANIONS,
    *_MODEL,
)
