"""Results as clients get them: a text and a structure that each stand alone."""
