"""Other people's names for attributes, mapped to ours and back where that is possible."""
