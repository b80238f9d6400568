"""Texts and pieces of files, ranked by how well they answer a query.

A query and what is ranked come in, scores and places go out, never vectors. What was read once is
kept on disk. Of llama-server it knows the interface of one that ranks; it knows no session.
"""
