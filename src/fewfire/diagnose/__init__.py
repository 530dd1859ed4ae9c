"""Look at a run and say what it is: exact, limited by what, growing how."""
