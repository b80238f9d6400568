"""What clients are told without asking: resources that changed, and progress of a call."""
