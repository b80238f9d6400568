"""What is known of clients: where their files are, the form of an entry, how they start us.

A client's name or a platform's folders come in, paths and values go out. Nothing is read or
written here but for whether a folder or a program is there. What differs from client to client is
in `cli/install/clients/`.
"""
