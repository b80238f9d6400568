"""What has come of a reply, and what its caller is told of it.

In: chunks of llama-server's stream. Out: a ChatReply with text, figures and notes. It must not know
where the chunks come from, nor who is told.
"""
