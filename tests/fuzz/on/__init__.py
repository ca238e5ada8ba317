"""The targets, one file for each way in."""
