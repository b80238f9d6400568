"""A model that plays a part: it takes prepared steps, whatever it is asked.

In come the requests of a client program, on loopback, in whatever dialect it speaks; out go calls
of our tools, one after the other, and last words. It knows nothing of the programs.

| file | what it does |
| --- | --- |
| `scenario.py` | decides what comes next |
| `server.py` | serves it, and records what it was asked |
| `anthropic_messages.py`, `gemini_content.py` | dialects: what requests and answers look like |
| `openai_chat.py`, `openai_responses.py` | two more |
"""
