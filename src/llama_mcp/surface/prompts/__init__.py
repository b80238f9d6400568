"""The prompts, which people see as slash commands.

In comes what a person has typed; out goes a message to the assistant's model, which says what tool
to call with which arguments. A prompt generates nothing itself and changes nothing.
"""
