"""The stages in order, and the run folder they leave behind."""
