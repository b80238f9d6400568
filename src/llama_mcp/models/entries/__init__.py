"""The operator's file of named models: its text comes in, entries or what is wrong with it go out.

Knows one file and no other: whether a model that is named is there, who starts it finds out.
"""
