"""`llama-mcp models`: list the models of this machine, or get one."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from llama_mcp.cli.display.json_output import json_argument, print_json
from llama_mcp.cli.models.model_table import model_lines
from llama_mcp.cli.models.pulling import pull
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment

# More than any machine has.
MOST_MODELS = 100_000
_EXAMPLES = """examples:
  llama-mcp models
  llama-mcp models list vision
  llama-mcp models pull ggml-org/gemma-3-1b-it-GGUF:Q4_K_M"""


def configure(parser: ArgumentParser) -> None:
    """Say what is listed, and how a model is got."""
    parser.description = "List the models of this machine, or get one from Hugging Face."
    parser.epilog = _EXAMPLES
    parser.set_defaults(words=[], json=False, act=list_models)
    actions = parser.add_subparsers(metavar="list | pull")
    listing = actions.add_parser(
        "list",
        help="list models: what fits first; as without a word",
        formatter_class=RawDescriptionHelpFormatter,
    )
    listing.add_argument("words", nargs="*", metavar="WORD", help="only those that match")
    listing.set_defaults(act=list_models)
    pulling = actions.add_parser("pull", help="get a model; goes on with what came before")
    pulling.add_argument("name", metavar="NAME", help="user/repo, user/repo:quant, or an address")
    pulling.set_defaults(act=pull)
    for each in (parser, listing, pulling):
        json_argument(each)


def run(arguments: Namespace) -> int:
    """List or get; return the exit code."""
    code: int = arguments.act(arguments)
    return code


def list_models(arguments: Namespace) -> int:
    """List the models that match the words; return the exit code."""

    async def show(services: Services) -> int:
        models = await services.known_models.list(" ".join(arguments.words), MOST_MODELS)
        if arguments.json:
            print_json(models)
        else:
            terminal = Terminal(inherited_environment())
            terminal.write("\n".join(model_lines(models, terminal)) + "\n")
        return 0

    return use_rooms(show, only_looks=True)
