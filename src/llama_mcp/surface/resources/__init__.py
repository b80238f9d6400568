"""The resources: their URIs, what each gives, when it last changed."""
