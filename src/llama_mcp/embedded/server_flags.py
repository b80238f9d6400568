"""The table of flags that concern the server: slots, HTTP, endpoints, templates."""

from llama_mcp.embedded import parameters as p
from llama_mcp.embedded import values as v
from llama_mcp.embedded.flags import COMMON, SAMPLING, SPECULATIVE, Flag

F = Flag
_INT = v.integer
_POOLING = v.member_of("LLAMA_POOLING_TYPE", "none", "mean", "cls", "last", "rank")

SERVER = (
    F(
        "--kv-unified-per-slot N",
        "kv_unified_per_slot",
        "context limit per parallel slot; without -c, the KV pool is sized to slots*N",
        v.at_least(1),
    ),
    F(
        "-ctxcp, --ctx-checkpoints, --swa-checkpoints N",
        "n_ctx_checkpoints",
        "max number of context checkpoints per slot (default: 32)",
        _INT,
    ),
    F(
        "-cms, --checkpoint-min-step N",
        "checkpoint_min_step",
        "minimum spacing of checkpoints in tokens (default: 8192)",
        v.at_least(0),
    ),
    F(
        "-cram, --cache-ram N",
        "cache_ram_mib",
        "maximum cache size in MiB (default: 8192, -1 - no limit, 0 - disable)",
        v.at_least(-1),
    ),
    F(
        "-kvu, --kv-unified / -no-kvu, --no-kv-unified",
        "kv_unified",
        "single unified KV buffer for all sequences (default: enabled if slots are auto)",
    ),
    F(
        "--cache-idle-slots / --no-cache-idle-slots",
        "cache_idle_slots",
        "save idle slots to the prompt cache on new task (default: enabled, requires cache-ram)",
    ),
    F(
        "--context-shift / --no-context-shift",
        "ctx_shift",
        "context shift on infinite text generation (default: disabled)",
    ),
    F("-sp, --special", "special", "special tokens output enabled (default: false)"),
    F(
        "--warmup / --no-warmup",
        "warmup",
        "whether to perform warmup with an empty run (default: enabled)",
    ),
    F(
        "--pooling {none,mean,cls,last,rank}",
        "pooling_type",
        "pooling type for embeddings, the model's own if unspecified",
        _POOLING,
    ),
    F(
        "-np, --parallel N",
        "n_parallel",
        "number of server slots (default: -1, -1 = auto)",
        v.slots,
    ),
    F(
        "-cb, --cont-batching / -nocb, --no-cont-batching",
        "cont_batching",
        "continuous batching (default: enabled)",
    ),
    F("-mm, --mmproj FILE", "mmproj.path", "path to a multimodal projector file", v.text),
    F("--no-mmproj, --no-mmproj-auto", "no_mmproj", "do without a multimodal projector"),
    F(
        "--mmproj-offload / --no-mmproj-offload",
        "mmproj_use_gpu",
        "GPU offloading for the multimodal projector (default: enabled)",
    ),
    F(
        "--image-min-tokens N",
        "image_min_tokens",
        "minimum number of tokens each image can take",
        _INT,
    ),
    F(
        "--image-max-tokens N",
        "image_max_tokens",
        "maximum number of tokens each image can take",
        _INT,
    ),
    F(
        "-a, --alias STRING",
        p.put_names("model_alias"),
        "model name aliases, comma-separated",
        v.words,
    ),
    F("--tags STRING", p.put_names("model_tags"), "model tags, comma-separated", v.words),
    F("--embd-normalize N", "embd_normalize", "normalisation for embeddings (default: 2)", _INT),
    F(
        "--host HOST",
        "hostnames",
        "IP addresses, comma-separated, or UNIX socket paths ending in .sock (default: 127.0.0.1)",
        v.words,
    ),
    F("--port PORT", "port", "port to listen, 0 = any free one (default: 8080)", v.port),
    F("--reuse-port", "reuse_port", "allow multiple sockets to bind to the same port"),
    F(
        "--cors-origins ORIGINS",
        p.put_origins,
        "allowed origins for CORS, comma-separated (default: *); 'localhost' is special",
        v.text,
    ),
    F(
        "--cors-methods METHODS",
        "cors_methods",
        "allowed methods for CORS (default: GET, POST, DELETE, OPTIONS)",
        v.text,
    ),
    F("--cors-headers HEADERS", "cors_headers", "allowed headers for CORS (default: *)", v.text),
    F(
        "--cors-credentials / --no-cors-credentials",
        "cors_credentials",
        "whether to allow credentials for CORS (default: enabled)",
    ),
    F(
        "--api-prefix PREFIX",
        "api_prefix",
        "prefix path the server serves from, without the trailing slash",
        v.text,
    ),
    F(
        "--ui, --webui / --no-ui, --no-webui",
        "ui",
        "whether to enable the Web UI (default: enabled)",
    ),
    F("--embedding, --embeddings", "embedding", "restrict to only support embedding use case"),
    F(
        "--rerank, --reranking",
        p.put_reranking,
        "enable reranking endpoint on server (default: disabled)",
    ),
    F(
        "--api-key KEY",
        p.put_api_keys,
        "API keys to use for authentication, comma-separated (default: none)",
        v.words,
        "LLAMA_API_KEY",
    ),
    F(
        "--api-key-file FNAME",
        p.put_api_keys,
        "file containing API keys, one per line; lines starting with a hash are comments",
        v.keys_in_file,
    ),
    F(
        "--chat-template-kwargs STRING",
        p.put_template_arguments,
        "additional params for the template, a JSON object",
        v.json_object,
    ),
    F(
        "-to, --timeout N",
        p.all_of("timeout_read", "timeout_write"),
        "server read/write timeout in seconds (default: 3600)",
        _INT,
    ),
    F(
        "--sse-ping-interval N",
        "sse_ping_interval",
        "SSE ping interval in seconds (-1 = disabled, default: 30)",
        _INT,
    ),
    F(
        "--threads-http N",
        "n_threads_http",
        "threads used to process HTTP requests (default: -1)",
        _INT,
    ),
    F(
        "--cache-prompt / --no-cache-prompt",
        "cache_prompt",
        "whether to enable prompt caching (default: enabled)",
    ),
    F(
        "--cache-reuse N",
        "n_cache_reuse",
        "min chunk size to attempt reusing from the cache via KV shifting (default: 0)",
        _INT,
    ),
    F(
        "--metrics",
        "endpoint_metrics",
        "enable prometheus compatible metrics endpoint (default: disabled)",
    ),
    F(
        "--props",
        "endpoint_props",
        "enable changing global properties via POST /props (default: disabled)",
    ),
    F(
        "--slots / --no-slots",
        "endpoint_slots",
        "expose slots monitoring endpoint (default: enabled)",
    ),
    F(
        "--slot-save-path PATH",
        "slot_save_path",
        "path to save slot kv cache (default: disabled)",
        v.directory,
    ),
    F(
        "--jinja / --no-jinja",
        "use_jinja",
        "whether to use jinja template engine for chat (default: enabled)",
    ),
    F(
        "--reasoning-format FORMAT",
        "reasoning_format",
        "how thoughts are returned: none, deepseek, deepseek-legacy, or auto (default: auto)",
        v.reasoning_format,
    ),
    F(
        "-rea, --reasoning [on|off|auto]",
        p.put_reasoning,
        "Use reasoning/thinking in the chat ('on', 'off', or 'auto', default: 'auto')",
        v.on_off_auto("--reasoning"),
    ),
    F(
        "--reasoning-budget N",
        "sampling.reasoning_budget_tokens",
        "token budget for thinking: -1 unrestricted, 0 immediate end (default: -1)",
        v.at_least(-1),
    ),
    F(
        "--reasoning-budget-message MESSAGE",
        "sampling.reasoning_budget_message",
        "message injected before the end-of-thinking tag when the budget is exhausted",
        v.text,
    ),
    F(
        "--chat-template JINJA_TEMPLATE",
        "chat_template",
        "set custom jinja chat template; with --no-jinja, the name of a built-in template",
        v.text,
    ),
    F(
        "--chat-template-file JINJA_TEMPLATE_FILE",
        "chat_template",
        "set custom jinja chat template file",
        v.content_of_file,
    ),
    F(
        "--skip-chat-parsing / --no-skip-chat-parsing",
        "force_pure_content_parser",
        "force a pure content parser, even if a Jinja template is specified",
    ),
    F(
        "--prefill-assistant / --no-prefill-assistant",
        "prefill_assistant",
        "continue the last message if it is the assistant's (default: enabled)",
    ),
    F(
        "-sps, --slot-prompt-similarity SIMILARITY",
        "slot_prompt_similarity",
        "how much a request must match a slot's prompt (default: 0.10, 0.0 = disabled)",
        v.number,
    ),
    F(
        "--lora-init-without-apply",
        "lora_init_without_apply",
        "load LoRA adapters without applying them",
    ),
    F(
        "--sleep-idle-seconds SECONDS",
        "sleep_idle_seconds",
        "number of seconds of idleness after which the server will sleep (default: -1)",
        v.seconds_until_sleep,
    ),
)

SECTIONS = {
    "common params": COMMON,
    "sampling params": SAMPLING,
    "speculative params": SPECULATIVE,
    "example-specific params": SERVER,
}
FLAGS = tuple(flag for section in SECTIONS.values() for flag in section)
