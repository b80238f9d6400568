"""The checks of this machine: one file each, which looks at one thing and gives findings."""
