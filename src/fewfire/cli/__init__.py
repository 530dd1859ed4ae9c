"""The command `fewfire`."""
