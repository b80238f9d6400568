"""What a flag is, and the table of flags that concern the model and how it runs.

One row says everything about a flag; reading the command line, the help and the parameters all
follow from it. Names and value syntax are llama-server's own. A flag that would have no effect on
xllamacpp is not in the table.
"""

from dataclasses import dataclass
from functools import cached_property

from llama_mcp.embedded import parameters as p
from llama_mcp.embedded import values as v
from llama_mcp.embedded.parameters import Put
from llama_mcp.embedded.values import Reader


@dataclass(frozen=True)
class Flag:
    """One row.

    Attributes:
        spec: Names and value syntax as llama-server's help has them; after " / ", the names that
            switch off.
        put: Where the value goes: an attribute of CommonParams, or a function; None for a flag
            that the program itself acts on.
        help: What it is for.
        read: How the value is read; None for a switch.
        env: The environment variable that stands for the flag.
    """

    spec: str
    put: str | Put | None
    help: str
    read: Reader | None = None
    env: str | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name, those that switch off included."""
        return _names(self.spec.replace(" / ", ", "))

    @cached_property
    def off_names(self) -> tuple[str, ...]:
        """The names that switch off."""
        return _names(self.spec.partition(" / ")[2])

    @cached_property
    def syntax(self) -> str:
        """What the value looks like; empty for a switch."""
        return self.spec.partition(self.names[-1])[2].strip() if self.read else ""


def _names(spec: str) -> tuple[str, ...]:
    return tuple(part.split(" ")[0] for part in spec.split(", ") if part)


F = Flag
_INT, _NUM = v.integer, v.number
_LAYERS = "either an exact number, 'auto', or 'all' (default: auto)"
_CACHE_HELP = f"allowed values: {', '.join(v.CACHE_TYPES)} (default: f16)"
_ROPE = v.member_of("LLAMA_ROPE_SCALING_TYPE", "none", "linear", "yarn")
_SPLIT = v.member_of("LLAMA_SPLIT_MODE", "none", "layer", "row", "tensor")
_LAZY = v.member_of("LLAMA_LAZY_MODE", "on", "auto", "off")
_NUMA = v.member_of("GGML_NUMA_STRATEGY", "distribute", "isolate", "numactl")
_DRAFT = "speculative.draft"

COMMON = (
    F("-h, --help, --usage", None, "print usage and exit"),
    F("--version", None, "show version and build info"),
    F("--list-devices", None, "print list of available devices and exit"),
    F("-t, --threads N", "cpuparams.n_threads", "CPU threads for generation (default: -1)", _INT),
    F("-tb, --threads-batch N", "cpuparams_batch.n_threads", "CPU threads for prompts", _INT),
    F("-c, --ctx-size N", p.put_context_size, "context size (default: 0 = model's)", v.at_least(0)),
    F("-n, --predict, --n-predict N", "n_predict", "tokens to predict (default: -1, no end)", _INT),
    F("-b, --batch-size N", "n_batch", "logical maximum batch size (default: 2048)", v.at_least(1)),
    F("-ub, --ubatch-size N", "n_ubatch", "physical batch size (default: 512)", v.at_least(1)),
    F("--keep N", "n_keep", "tokens to keep from the initial prompt (-1 = all)", _INT),
    F("--swa-full", "swa_full", "use full-size SWA cache (default: false)"),
    F(
        "-fa, --flash-attn [on|off|auto]",
        p.put_flash_attention,
        "set Flash Attention use ('on', 'off', or 'auto', default: 'auto')",
        v.on_off_auto("--flash-attn"),
    ),
    F("--rope-scaling {none,linear,yarn}", "rope_scaling_type", "RoPE frequency scaling", _ROPE),
    F("--rope-scale N", p.put_rope_scale, "RoPE context scaling factor", v.above_zero),
    F("--rope-freq-base N", "rope_freq_base", "RoPE base frequency", _NUM),
    F("--rope-freq-scale N", "rope_freq_scale", "RoPE frequency scaling factor", _NUM),
    F("--yarn-orig-ctx N", "yarn_orig_ctx", "YaRN: original context size of model", _INT),
    F("--yarn-ext-factor N", "yarn_ext_factor", "YaRN: extrapolation mix factor", _NUM),
    F("--yarn-attn-factor N", "yarn_attn_factor", "YaRN: scale sqrt(t) or attention", _NUM),
    F("--yarn-beta-slow N", "yarn_beta_slow", "YaRN: high correction dim or alpha", _NUM),
    F("--yarn-beta-fast N", "yarn_beta_fast", "YaRN: low correction dim or beta", _NUM),
    F(
        "-kvo, --kv-offload / -nkvo, --no-kv-offload",
        p.opposite_of("no_kv_offload"),
        "whether to enable KV cache offloading (default: enabled)",
    ),
    F("--repack / -nr, --no-repack", p.opposite_of("no_extra_bufts"), "weight repacking (enabled)"),
    F("--no-host", "no_host", "bypass host buffer allowing extra buffers to be used"),
    F("-ctk, --cache-type-k TYPE", "cache_type_k", f"for K, {_CACHE_HELP}", v.cache_type),
    F("-ctv, --cache-type-v TYPE", "cache_type_v", f"for V, {_CACHE_HELP}", v.cache_type),
    F(
        "-lm, --load-mode MODE",
        "load_mode",
        "model loading mode: auto, none, mmap, mlock, mmap+mlock, or dio (default: auto)",
        v.load_mode,
    ),
    F(
        "-lzm, --lazy-mode MODE",
        "lazy_mode",
        "read certain tensors on demand: on, auto, off",
        _LAZY,
    ),
    F("--numa TYPE", "numa", "distribute, isolate, or numactl", _NUMA),
    F(
        "-ngl, --gpu-layers, --n-gpu-layers N",
        "n_gpu_layers",
        f"max. number of layers to store in VRAM, {_LAYERS}",
        v.layers,
    ),
    F(
        "-sm, --split-mode {none,layer,row,tensor}",
        "split_mode",
        "how to split the model across multiple GPUs (default: layer)",
        _SPLIT,
    ),
    F("-ts, --tensor-split N0,N1,N2,...", p.put_tensor_split, "fraction per GPU", v.numbers),
    F("-mg, --main-gpu INDEX", "main_gpu", "the GPU to use (default: 0)", _INT),
    F(
        "-fit, --fit [on|off]",
        "fit_params",
        "whether to adjust unset arguments to fit in device memory (default: 'on')",
        v.on_off("--fit"),
    ),
    F(
        "-fitt, --fit-target MiB0,MiB1,MiB2,...",
        p.put_fit_margin,
        "target margin per device for --fit, a single value is for all devices (default: 1024)",
        v.numbers,
    ),
    F("-fitc, --fit-ctx N", "fit_params_min_ctx", "lowest context of --fit (4096)", v.at_least(0)),
    F("--check-tensors", "check_tensors", "check model tensor data for invalid values"),
    F(
        "--op-offload / --no-op-offload",
        p.opposite_of("no_op_offload"),
        "whether to offload host tensor operations to device (default: true)",
    ),
    F("--lora FNAME", p.put_loras, "paths to LoRA adapters, comma-separated", v.plain_files),
    F("--lora-scaled FNAME:SCALE,...", p.put_loras, "LoRA adapters and scales", v.scaled_files),
    F("-m, --model FNAME", "model.path", "model path to load", v.text),
    F("--log-colors [on|off|auto]", p.put_colours, "'off' or 'auto' ('on' fails)", v.not_coloured),
    F("-v, --verbose, --log-verbose", p.put_everything_in_log, "log all messages"),
    F("--offline", "offline", "prevents network access"),
    F(
        "-lv, --verbosity, --log-verbosity N",
        "verbosity",
        "0: generic output, 1: error, 2: warning, 3: info, 4: trace, 5: debug (default: 3)",
        _INT,
    ),
    F(
        "--spec-draft-type-k, -ctkd, --cache-type-k-draft TYPE",
        f"{_DRAFT}.cache_type_k",
        f"for the draft model's K, {_CACHE_HELP}",
        v.cache_type,
    ),
    F(
        "--spec-draft-type-v, -ctvd, --cache-type-v-draft TYPE",
        f"{_DRAFT}.cache_type_v",
        f"for the draft model's V, {_CACHE_HELP}",
        v.cache_type,
    ),
)

SAMPLING = (
    F(
        "--samplers SAMPLERS",
        p.sampling("samplers", "SAMPLERS"),
        "in order, separated by ';'",
        v.text,
    ),
    F("-s, --seed SEED", "sampling.seed", "RNG seed (default: -1, random)", v.seed),
    F("--ignore-eos", "sampling.ignore_eos", "ignore end of stream token and continue generating"),
    F("--temp, --temperature N", p.sampling("temp", "TEMP"), "temperature (default: 0.80)", _NUM),
    F("--top-k N", p.sampling("top_k", "TOP_K"), "top-k (default: 40, 0 = disabled)", _INT),
    F("--top-p N", p.sampling("top_p", "TOP_P"), "top-p (default: 0.95, 1.0 = disabled)", _NUM),
    F("--min-p N", p.sampling("min_p", "MIN_P"), "min-p (default: 0.05, 0.0 = disabled)", _NUM),
    F(
        "--xtc-probability N",
        p.sampling("xtc_probability", "XTC_PROBABILITY"),
        "xtc probability",
        _NUM,
    ),
    F("--xtc-threshold N", p.sampling("xtc_threshold", "XTC_THRESHOLD"), "xtc threshold", _NUM),
    F("--typical, --typical-p N", "sampling.typ_p", "locally typical sampling (1.0 = off)", _NUM),
    F(
        "--repeat-last-n N",
        p.sampling("penalty_last_n", "PENALTY_LAST_N"),
        "tokens to penalize",
        _INT,
    ),
    F("--repeat-penalty N", p.sampling("penalty_repeat", "PENALTY_REPEAT"), "repeat penalty", _NUM),
    F("--presence-penalty N", "sampling.penalty_present", "presence penalty (0.0 = off)", _NUM),
    F("--frequency-penalty N", "sampling.penalty_freq", "frequency penalty (0.0 = off)", _NUM),
    F("--dry-multiplier N", "sampling.dry_multiplier", "DRY multiplier (0.0 = off)", _NUM),
    F("--dry-base N", "sampling.dry_base", "DRY base (default: 1.75)", _NUM),
    F("--dry-allowed-length N", "sampling.dry_allowed_length", "DRY allowed length", _INT),
    F("--dry-penalty-last-n N", "sampling.dry_penalty_last_n", "DRY last n tokens", _INT),
    F("--dynatemp-range N", "sampling.dynatemp_range", "dynamic temperature range", _NUM),
    F("--dynatemp-exp N", "sampling.dynatemp_exponent", "dynamic temperature exponent", _NUM),
    F("--mirostat N", p.sampling("mirostat", "MIROSTAT"), "Mirostat (0 = off, 1, or 2)", _INT),
    F("--mirostat-lr N", p.sampling("mirostat_eta", "MIROSTAT_ETA"), "Mirostat eta", _NUM),
    F("--mirostat-ent N", p.sampling("mirostat_tau", "MIROSTAT_TAU"), "Mirostat tau", _NUM),
)

SPECULATIVE = (
    F("--spec-draft-n-max N", f"{_DRAFT}.n_max", "tokens to draft (default: 3)", _INT),
    F("--spec-draft-n-min N", f"{_DRAFT}.n_min", "minimum of draft tokens (default: 0)", _INT),
    F("--spec-draft-p-split, --draft-p-split P", f"{_DRAFT}.p_split", "split probability", _NUM),
    F("--spec-draft-p-min, --draft-p-min P", f"{_DRAFT}.p_min", "minimum probability", _NUM),
    F(
        "--spec-draft-ngl, -ngld, --gpu-layers-draft, --n-gpu-layers-draft N",
        f"{_DRAFT}.n_gpu_layers",
        f"max. number of draft model layers to store in VRAM, {_LAYERS}",
        v.layers,
    ),
    F(
        "--spec-draft-model, -md, --model-draft FNAME",
        p.put_draft_model,
        "draft model for speculative decoding; implies --spec-type draft-simple",
        v.text,
    ),
    F(
        f"--spec-type {v.SPECULATIONS}",
        p.put_speculation,
        "comma-separated list of types of speculative decoding to use (default: none)",
        v.speculations,
    ),
)
