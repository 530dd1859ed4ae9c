"""Pictures of a run or a study, with Matplotlib."""
