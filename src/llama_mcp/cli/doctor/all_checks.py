"""Every check, in the order in which they are made: what others rest on comes first."""

from llama_mcp.cli.doctor.checks.archive import look_at_archive
from llama_mcp.cli.doctor.checks.engine import look_at_engine
from llama_mcp.cli.doctor.checks.home import look_at_home
from llama_mcp.cli.doctor.checks.http import look_at_http
from llama_mcp.cli.doctor.checks.installation import look_at_installation
from llama_mcp.cli.doctor.checks.models import look_at_models
from llama_mcp.cli.doctor.checks.port import look_at_port
from llama_mcp.cli.doctor.checks.runs import look_at_runs
from llama_mcp.cli.doctor.checks.setting_lines import look_at_settings
from llama_mcp.cli.doctor.checks.space import look_at_space
from llama_mcp.cli.doctor.checks.trial import make_a_trial
from llama_mcp.cli.doctor.entries.looking import look_at_clients
from llama_mcp.cli.doctor.findings import Check

# A large model on a slow disk takes its time to load; what hangs the proof itself ends.
_TRIAL_SECONDS = 1800.0
# With --prove each client starts the model.
_CLIENTS_SECONDS = 7200.0

CHECKS = (
    Check("command", look_at_installation),
    Check("setting", look_at_settings),
    Check("home", look_at_home),
    Check("space", look_at_space),
    Check("archive", look_at_archive),
    Check("engine", look_at_engine),
    Check("model", look_at_models),
    Check("port", look_at_port),
    Check("run", look_at_runs),
    Check("http", look_at_http),
    Check("start", make_a_trial, _TRIAL_SECONDS, starts_programs=True),
    Check("client", look_at_clients, _CLIENTS_SECONDS, starts_programs=True),
)
