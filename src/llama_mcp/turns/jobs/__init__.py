"""Jobs: one instruction over files of any size, whose pieces are asked for side by side.

Files by path and an instruction come in; a reply or a result for each file goes out, archived as
one turn, with what was read of the files and what was not. It knows nothing of MCP, and of
llama_server what a turn knows.
"""
