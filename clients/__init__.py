"""The MCP clients of the world, tried with llama-mcp: `sh scripts/clients`.

`python -m clients` installs the npm packages that package.json names into clients/node_modules,
lets every client take the same walk with the installed `llama-mcp` command over real stdio, in each
era that it speaks, runs the official conformance suite on what `serve --http` serves, and prints a
table. Then client programs as they ship are asked a question, with a scripted model behind them,
and there is a second table; in a third, those that have a list of servers say what it shows after
`llama-mcp install`. `--all` adds the programs that are slow to install. It exits with 1 when
anything fails; what cannot be installed, because npm or the package index cannot be reached, is
skipped with a line that says so.

| file | what it does |
| --- | --- |
| `__main__.py` | runs all, prints the table |
| `node_packages.py` | installs the npm packages, finds a Node that is new enough |
| `python_client.py` | the walk with the official Python client |
| `walk.mjs`, `typescript_v1.mjs`, `typescript_v2.mjs` | the walk with the TypeScript SDKs |
| `dashboard/`, `chromium.py` | the dashboard in a browser and in a chat, with its buttons pressed |
| `own_tests.py`, `debian_programs.py` | tests of ours that need Node, nginx and Caddy |
| `inspector.py` | the walk with the MCP Inspector's command lines |
| `conformance.py`, `conformance_exceptions.toml` | runs the suite, judges its results |
| `conformance_server.py`, `conformance_fixtures.py` | what the suite is run on |
| `programs/`, `agents/` | the client programs, and agents built on frameworks |
| `scripted_model/` | the model behind them |
| `trials/` | installs, runs and judges them |
"""
