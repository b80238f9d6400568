"""The resources: their URIs, what each gives, when it last changed, how an id completes."""
