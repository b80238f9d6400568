"""What `scripts/clients` is made of: its scripted model, its judgements, its page."""
