"""The flags of three eras of llama-server, and the two layouts in which --help prints them."""

from dataclasses import dataclass

from .faults import Era

# Who had it | names and value | description, with " // " for a new line. A selection: every flag
# that a launcher may care for, and those that changed.
TABLE = """\
24       | -h, --help | show this help message and exit
   25 26 | -h, --help, --usage | print usage and exit
24 25 26 | --version | show version and build info
24       | -v, --verbose | verbose output (default: disabled)
   25 26 | -v, --verbose, --log-verbose | Set verbosity level to infinity (i.e. log all messages)
24 25 26 | -t, --threads N | number of CPU threads to use during generation (default: -1)
24 25 26 | -tb, --threads-batch N | number of threads to use during batch and prompt processing
24 25 26 | --threads-http N | number of threads used to process HTTP requests (default: -1)
24 25 26 | -c, --ctx-size N | size of the prompt context
24 25 26 | -n, --predict, --n-predict N | number of tokens to predict (default: -1, -1 = infinity)
24 25 26 | -b, --batch-size N | logical maximum batch size (default: 2048)
24 25 26 | -ub, --ubatch-size N | physical maximum batch size (default: 512)
24 25    | -fa, --flash-attn | enable Flash Attention (default: disabled)
      26 | -fa, --flash-attn [on|off|auto] | set Flash Attention use (default: 'auto')
24 25 26 | --rope-scaling {none,linear,yarn} | RoPE frequency scaling method
24 25 26 | --rope-freq-base N | RoPE base frequency, used by NTK-aware scaling
24 25 26 | -ctk, --cache-type-k TYPE | KV cache data type for K
24 25 26 | -ctv, --cache-type-v TYPE | KV cache data type for V
24 25 26 | -np, --parallel N | number of slots for process requests
24       | -cb, --cont-batching | enable continuous batching (default: enabled)
   25    | -cb, --cont-batching | enable continuous batching (default: enabled)
      26 | -cb, --cont-batching, -nocb, --no-cont-batching | whether to enable continuous batching
24 25    | --mlock | force system to keep model in RAM rather than swapping or compressing
24 25    | --no-mmap | do not memory-map model (slower load but may reduce pageouts)
      26 | -lm, --load-mode MODE | model loading mode (default: auto) \
// - mmap: memory-map model (may reduce pageouts if not using --mlock) \
// - mlock: force system to keep model in RAM
24 25 26 | --numa TYPE | attempt optimizations that help on some NUMA systems
   25 26 | --rpc SERVERS | comma-separated list of RPC servers (host:port)
   25 26 | -dev, --device <dev1,dev2,..> | comma-separated list of devices to use for offloading
   25 26 | --list-devices | print list of available devices and exit
24       | -ngl, --n-gpu-layers N | number of layers to store in VRAM
   25    | -ngl, --gpu-layers, --n-gpu-layers N | number of layers to store in VRAM
      26 | -ngl, --gpu-layers, --n-gpu-layers N | max. number of layers to store in VRAM, \
either an exact number, // 'auto', or 'all' (default: auto)
24 25 26 | -mg, --main-gpu INDEX | the GPU to use for the model
      26 | -fit, --fit [on|off] | whether to adjust unset arguments to fit in device memory
      26 | -fitc, --fit-ctx N | minimum ctx size that can be set by --fit option, default: 4096
24 25    | --override-kv KEY=TYPE:VALUE | advanced option to override model metadata by key
      26 | --override-kv KEY=TYPE:VALUE,... | advanced option to override model metadata by key
24 25 26 | --lora FNAME | path to LoRA adapter
24 25    | --lora-scaled FNAME SCALE | path to LoRA adapter with user defined scaling
      26 | --lora-scaled FNAME:SCALE,... | path to LoRA adapter with user defined scaling
24 25 26 | -m, --model FNAME | model path to load
24 25 26 | -s, --seed SEED | RNG seed (default: -1, use random seed for -1)
24 25    | -hfr, --hf-repo REPO | Hugging Face model repository (default: unused)
      26 | -hf, -hfr, --hf-repo <user>/<model>[:quant] | Hugging Face model repository
24 25 26 | --log-disable | Log disable
24       | --log-format FORMAT | log output format: json or text (default: json)
   25 26 | --log-file FNAME | Log to file
   25    | --log-colors | Enable colored logging
      26 | --log-colors [on|off|auto] | Set colored logging ('on', 'off', or 'auto')
   25 26 | -lv, --verbosity, --log-verbosity N | Set the verbosity threshold.
   25    | --log-prefix | Enable prefx in log messages
      26 | --log-prefix, --no-log-prefix | Enable prefix in log messages
      26 | --log-jsonl, --no-log-jsonl | Log as JSONL (one JSON object per line) to stdout
      26 | --offline | Offline mode: forces use of cache, prevents network access
24 25    | --temp N | temperature (default: 0.8)
      26 | --temp, --temperature N | temperature (default: 0.80)
   25    | --no-context-shift | disables context shift on infinite text generation
      26 | --context-shift, --no-context-shift | whether to use context shift
      26 | --swa-full | use full-size SWA cache (default: false)
      26 | -ctxcp, --ctx-checkpoints, --swa-checkpoints N | max number of context checkpoints
      26 | -cram, --cache-ram N | set the maximum cache size in MiB (default: 8192, -1 - no limit)
      26 | --cache-idle-slots, --no-cache-idle-slots | save and clear idle slots on new task
   25 26 | --cache-reuse N | min chunk size to attempt reusing from the cache via KV shifting
      26 | -kvu, --kv-unified, -no-kvu, --no-kv-unified | use single unified KV buffer
      26 | --kv-unified-per-slot N | context limit per parallel slot (default: unset)
   25    | --no-warmup | skip warming up the model with an empty run
      26 | --warmup, --no-warmup | whether to perform warmup with an empty run
24 25 26 | -a, --alias STRING | set alias for model name (to be used by API)
      26 | --tags STRING | set model tags, comma-separated (informational)
24 25 26 | --host HOST | ip address to listen (default: 127.0.0.1)
24 25 26 | --port PORT | port to listen (default: 8080)
      26 | --reuse-port | allow multiple sockets to bind to the same port (default: disabled)
24 25 26 | --path PATH | path to serve static files from
   25    | --no-webui | Disable the Web UI (default: enabled)
      26 | --ui, --webui, --no-ui, --no-webui | whether to enable the Web UI (default: enabled)
      26 | --cors-origins ORIGINS | comma-separated list of allowed origins for CORS (default: *)
      26 | --cors-methods METHODS | comma-separated list of allowed methods for CORS
24 25 26 | --api-key KEY | API key to use for authentication (default: none)
24 25 26 | --api-key-file FNAME | path to file containing API keys
24 25 26 | -to, --timeout N | server read/write timeout in seconds
      26 | --sse-ping-interval N | server SSE ping interval in seconds (-1 = disabled, default: 30)
24       | --embeddings | enable embedding vector output (default: disabled)
   25 26 | --embedding, --embeddings | restrict to only support embedding use case
24 25 26 | --metrics | enable prometheus compatible metrics endpoint (default: disabled)
24       | --slots-endpoint-disable | disables slots monitoring endpoint.
   25    | --slots | enable slots monitoring endpoint (default: disabled)
   25    | --no-slots | disables slots monitoring endpoint
      26 | --slots, --no-slots | expose slots monitoring endpoint (default: enabled)
   25 26 | --props | enable changing global properties via POST /props (default: disabled)
24 25 26 | --slot-save-path PATH | path to save slot kv cache (default: disabled)
   25    | --jinja | Enable experimental Jinja templating engine (required for tool use)
      26 | --jinja, --no-jinja | whether to use jinja template engine for chat (default: enabled)
   25 26 | --reasoning-format FORMAT | controls whether thought tags are allowed
      26 | -rea, --reasoning [on|off|auto] | Use reasoning/thinking in the chat
      26 | --reasoning-budget N | token budget for thinking: -1 for unrestricted, 0 for none
24 25 26 | --chat-template JINJA_TEMPLATE | set custom jinja chat template
      26 | --chat-template-file JINJA_TEMPLATE_FILE | set custom jinja chat template file
      26 | --chat-template-kwargs STRING | sets additional params for the json template parser
   25 26 | -sps, --slot-prompt-similarity SIMILARITY | how much the prompt must match
      26 | --sleep-idle-seconds SECONDS | number of seconds of idleness before sleeping
   25    | -md, --model-draft FNAME | draft model for speculative decoding
      26 | --spec-draft-model, -md, --model-draft FNAME | draft model for speculative decoding
   25    | --draft-max, --draft, --draft-n N | number of tokens to draft (default: 16)
      26 | --spec-draft-n-max N | number of tokens to draft for speculative decoding (default: 3)
      26 | --draft, --draft-n, --draft-max N | the argument has been removed. \
use --spec-draft-n-max or // --spec-ngram-mod-n-max
"""


@dataclass(frozen=True)
class Flag:
    names: tuple[str, ...]
    value: str  # what --help calls it; "" for a flag that stands alone
    description: tuple[str, ...]  # lines

    @property
    def removed(self) -> bool:
        return self.description[0].startswith("the argument has been removed")


def flags_of(era: Era) -> tuple[Flag, ...]:
    rows = [[cell.strip() for cell in row.split(" | ", 2)] for row in TABLE.splitlines()]
    return tuple(_flag(*cells) for eras, *cells in rows if era[2:] in eras)


def help_of(era: Era) -> str:
    if era == "2024":
        entries = "".join(_entry_2024(flag) for flag in flags_of(era))
        return f"usage: llama-server [options]\n\noptions:\n{entries}\n"
    entries = "".join(entry(flag) for flag in flags_of(era))
    return f"----- common params -----\n\n{entries}\n\n----- server-specific params -----\n\n"


def entry(flag: Flag) -> str:
    """The layout since autumn 2024: names from column 0, text from column 40."""
    return _columns(head_of(flag), flag.description, width=40)


def head_of(flag: Flag) -> str:
    first, *others = flag.names
    if others:
        first = f"{first}, ".ljust(7)
    return (first + ", ".join(others) + f" {flag.value}").rstrip()


def _entry_2024(flag: Flag) -> str:
    """The layout before: indented, and each name has its own value."""
    names = ", ".join(f"{name} {flag.value}".rstrip() for name in flag.names)
    return _columns(f"  {names}", flag.description, width=28)


def _columns(head: str, description: tuple[str, ...], width: int) -> str:
    margin = "\n" + " " * width
    gap = margin if len(head) > width - 3 else " " * (width - len(head))
    return head + gap + margin.join(description) + "\n"


def _flag(spelling: str, description: str) -> Flag:
    *first, last = spelling.split(", ")
    name, _, value = last.partition(" ")
    return Flag((*first, name), value, tuple(description.split(" // ")))
