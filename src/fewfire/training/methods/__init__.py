"""How a step is taken: one file a method."""
