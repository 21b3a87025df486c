"""Named, frozen ways to score descriptions: ``clean`` (ours) and ``published`` (the seed's, bugs and all)."""
