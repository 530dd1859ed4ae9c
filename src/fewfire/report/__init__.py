"""History to pictures and tables."""
