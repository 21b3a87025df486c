"""Composition: the rooms above, put together into things that run."""
