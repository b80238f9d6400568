"""A turn that broke off, gone on with: by another process, after a crash, or after a cancel.

What the archive has of it comes in; what is needed to generate the rest goes out. It begins no task
and reads no stream.
"""
